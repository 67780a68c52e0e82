"""Pins of the test cluster agree with each other; what is missing is named with its cure."""

import re
import subprocess
import sys

import pytest
import yaml
from e2e.cluster.addresses import host_link
from e2e.cluster.config import REPOSITORY
from e2e.cluster.folders import state_folder
from e2e.cluster.nodes import NodeSpec, build_node
from e2e.cluster.prerequisites import missing_prerequisites
from e2e.cluster.programs import (
    KUBERNETES_VERSION,
    PROGRAMS,
    Program,
    Tier,
    linker_flags,
    programs_of,
)

_MODULES = REPOSITORY / "e2e" / "cluster" / "go"


def test_the_first_demo_waits_for_these_programs_and_no_others() -> None:
    # Each one more is minutes on every new machine: let it in only if the demo cannot do without.
    assert {one.name for one in programs_of(Tier.DEMO)} == {
        "etcd",
        "helm",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
        "kwok",
    }


def test_a_tier_needs_those_before_it() -> None:
    demo, test, bench, mirrors = (set(programs_of(tier)) for tier in Tier)
    assert demo < test <= bench
    assert {one.name for one in mirrors} == {"versitygw", "registry"}
    assert bench | mirrors == set(PROGRAMS)
    assert not bench & mirrors


@pytest.mark.parametrize("tier", [tier for tier in Tier if (_MODULES / tier).exists()])
def test_the_module_of_a_tier_pins_its_programs_and_no_others(tier: Tier) -> None:
    text = (_MODULES / tier / "go.mod").read_text()
    block = re.search(r"^tool (?:\((.*?)\)|(\S+))$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    tools = (block[1] or block[2]).split()
    assert sorted(tools) == sorted(one.package for one in PROGRAMS if one.tier == tier)
    assert (_MODULES / tier / "go.sum").exists()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_program_has_the_version_that_its_module_pins(program: Program) -> None:
    if program.package.startswith("escadre.dev/"):
        assert (_MODULES / program.tier / program.name / "main.go").exists()
        return
    text = (_MODULES / program.tier / "go.mod").read_text()
    versions = re.findall(r"^(?:require |\s+)(\S+) (v\S+)", text, re.MULTILINE)
    owners = {path: version for path, version in versions if program.package.startswith(path)}
    assert owners[max(owners, key=len)] == program.version


def test_every_library_of_kubernetes_has_the_version_of_kubernetes() -> None:
    text = (_MODULES / "demo" / "go.mod").read_text()
    replaced = dict(re.findall(r"^\t(k8s\.io/\S+) => \1 (\S+)$", text, re.MULTILINE))
    apart = {
        "k8s.io/kubernetes",
        "k8s.io/klog/v2",
        "k8s.io/kube-openapi",
        "k8s.io/utils",
        "k8s.io/gengo/v2",
    }
    needed = set(re.findall(r"^\t(k8s\.io/\S+) v", text, re.MULTILINE)) - apart
    assert needed <= set(replaced)
    assert set(replaced.values()) == {KUBERNETES_VERSION.replace("v1.", "v0.")}


def test_each_program_is_told_its_version() -> None:
    flags = linker_flags(programs_of(Tier.DEMO))
    assert "component-base/version.gitVersion=v1.36.3" in flags
    assert "gitMinor=36" in flags
    assert "helm/v3/internal/version.version=v3.21.4" in flags
    assert "kwok/pkg/consts.Version=v0.8.0" in flags


def test_programs_are_built_before_there_is_an_environment() -> None:
    code = "import sys, e2e.cluster.binaries as b; print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {code}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()} - {"__main__", "e2e"}
    assert tops <= sys.stdlib_module_names


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
