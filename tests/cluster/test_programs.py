"""Pins of the test cluster agree with each other; what is missing is named with its cure."""

import re

import pytest
import yaml
from e2e.cluster.addresses import host_link
from e2e.cluster.config import REPOSITORY
from e2e.cluster.folders import state_folder
from e2e.cluster.nodes import NodeSpec, build_node
from e2e.cluster.prerequisites import missing_prerequisites
from e2e.cluster.programs import PROGRAMS, Program, linker_flags

_MODULES = REPOSITORY / "e2e" / "cluster" / "go"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_program_is_a_tool_of_its_module_at_the_pinned_version(program: Program) -> None:
    text = (_MODULES / program.module / "go.mod").read_text()
    assert re.search(rf"^\s*(tool )?{re.escape(program.package)}$", text, re.MULTILINE)
    versions = re.findall(r"^(?:require |\s+)(\S+) (v\S+)", text, re.MULTILINE)
    owners = {path: version for path, version in versions if program.package.startswith(path)}
    assert owners[max(owners, key=len)] == program.version
    assert (_MODULES / program.module / "go.sum").exists()


def test_kubernetes_is_told_its_version() -> None:
    server = next(program for program in PROGRAMS if program.name == "kube-apiserver")
    assert "component-base/version.gitVersion=v1.36.3" in linker_flags(server)
    assert "gitMinor=36" in linker_flags(server)


def test_missing_tools_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("e2e.cluster.prerequisites._SBIN", "/nowhere")
    lines = missing_prerequisites(root=False)
    assert "program 'iptables' is missing: apt-get install -y iptables" in lines
    assert "program 'ip' is missing: apt-get install -y iproute2" in lines


def test_clusters_side_by_side_have_links_of_their_own() -> None:
    links = {host_link(name).host_address for name in ("a", "b", "cl", "demo", "test-1")}
    assert len(links) == 5
    assert len(host_link("x" * 32).device) <= 15


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "a" * 33])
def test_a_bad_cluster_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cluster name"):
        state_folder(name)


def test_a_node_without_gpus_has_neither_resource_nor_labels() -> None:
    node = build_node(NodeSpec("cpu-0", gpus=0), "10.10.1.1", "boot")
    assert "nvidia.com/gpu" not in node["status"]["allocatable"]
    assert not [label for label in node["metadata"]["labels"] if label.startswith("nvidia")]
    gpu = build_node(NodeSpec("gpu-0", product="X", gpu_memory_mib=5), "10.10.1.1", "boot")
    assert gpu["status"]["nodeInfo"]["bootID"] == "boot"
    assert gpu["metadata"]["labels"]["nvidia.com/gpu.memory"] == "5"


def test_kwok_gets_stages_for_nodes_only() -> None:
    text = (REPOSITORY / "e2e" / "cluster" / "kwok-stages.yaml").read_text()
    kinds = [stage["spec"]["resourceRef"]["kind"] for stage in yaml.safe_load_all(text)]
    assert set(kinds) == {"Node"}
