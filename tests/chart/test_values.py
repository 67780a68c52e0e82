"""What Helm accepts and refuses, with the words its user reads."""

import re
from pathlib import Path

import pytest
import yaml
from tests.chart.rendering import CHART, CI_VALUES, helm, render

from escadre import __version__

IMAGE = "engine.image=registry.example/vllm@sha256:" + "e" * 64


def _refused(*arguments: str) -> str:
    done = helm("template", "escadre", str(CHART), "--kube-version=1.36.3", *arguments)
    assert done.returncode != 0, done.stdout
    return done.stderr


@pytest.mark.parametrize("values", CI_VALUES)
def test_lint_is_clean(values: str) -> None:
    file = CHART / "ci" / f"{values}-values.yaml"
    done = helm("lint", "--strict", "--quiet", f"--values={file}", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_missing_engine_image_is_explained() -> None:
    assert (
        "engine.image is not set: name the vLLM OpenAI server image by digest, for example "
        "--set engine.image=registry.example/vllm-openai@sha256:<64 hex characters>"
    ) in _refused()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(
            "engine.image=vllm/vllm-openai:latest",
            "at '/engine/image': 'vllm/vllm-openai:latest' does not match pattern",
            id="an engine image by tag",
        ),
        pytest.param(
            "engine.version=latest",
            "at '/engine/version': 'latest' does not match pattern",
            id="a version that is none",
        ),
        pytest.param(
            "agent.mirrorSecret=token",
            "at '/agent': additional properties 'mirrorSecret' not allowed",
            id="a misspelt value",
        ),
        pytest.param(
            "engine.gpuMemoryUtilizationPercent=100",
            "at '/engine/gpuMemoryUtilizationPercent': maximum: got 100, want 98",
            id="a number over its bound",
        ),
        pytest.param(
            "approvals.minimum=0",
            "at '/approvals/minimum': minimum: got 0, want 1",
            id="no approval needed",
        ),
        pytest.param(
            "engine.extraArgs[0]=--model /etc/passwd",
            "at '/engine/extraArgs/0': '--model /etc/passwd' does not match pattern",
            id="a flag with a space",
        ),
        pytest.param(
            "agent.mirrorSecrets[0]=",
            "at '/agent/mirrorSecrets/0': '' does not match pattern",
            id="an empty name of a Secret",
        ),
        pytest.param(
            "agent.mirrorFolders[0].name=share",
            "at '/agent/mirrorFolders/0': minProperties: got 1, want 2",
            id="a folder of a mirror that is nowhere",
        ),
        pytest.param(
            "agent.mirrorFolders[0].name=Share,agent.mirrorFolders[0].hostPath.path=/data",
            "at '/agent/mirrorFolders/0/name': 'Share' does not match pattern",
            id="a folder of a mirror whose name is no label",
        ),
        pytest.param(
            "agent.mirrorFolders[0].name=share,agent.mirrorFolders[0].hostPath.path=/data/../etc",
            "at '/agent/mirrorFolders/0/hostPath/path': 'not' failed",
            id="a path that climbs",
        ),
        pytest.param(
            "agent.mirrorFolders[0].name=share,agent.mirrorFolders[0].emptyDir.medium=Memory",
            "at '/agent/mirrorFolders/0': additional properties 'emptyDir' not allowed",
            id="a volume that holds nothing of the platform's",
        ),
        pytest.param(
            "agent.mirrorFolders[0].name=a,agent.mirrorFolders[0].hostPath.path=/data,"
            "agent.mirrorFolders[1].name=a,agent.mirrorFolders[1].hostPath.path=/other",
            "agent.mirrorFolders: the name a stands there twice",
            id="two folders of one name",
        ),
        pytest.param(
            "agent.maxBytesPerSecond=999999",
            "agent.maxBytesPerSecond: 999999 bytes per second; 1000000 is the least that a pull "
            "gets on with before its mirror closes the connection, and 0 means no cap",
            id="a cap under which nothing arrives",
        ),
    ],
)
def test_bad_value_is_refused(value: str, message: str) -> None:
    assert message in _refused("--set", IMAGE, "--set", value)


def test_a_version_without_quotes_is_refused_before_yaml_shortens_it(tmp_path: Path) -> None:
    """0.30 without quotes is the number 0.3, which would be another version."""
    values = tmp_path / "values.yaml"
    values.write_text("engine: {version: 0.30}\n")
    message = _refused("--set", IMAGE, f"--values={values}")
    assert "at '/engine/version': got number, want null or string" in message


def test_the_version_reaches_the_operator_alone() -> None:
    """Agents do not restart for it."""
    before, after = render("default"), render("default", "--set-string", "engine.version=0.31")
    assert "version: null" in before.get("ConfigMap", "escadre")["data"]["config.yaml"]
    assert 'version: "0.31"' in after.get("ConfigMap", "escadre")["data"]["config.yaml"]
    changed = {
        (one["kind"], one["metadata"]["name"])
        for one, other in zip(before.workloads(), after.workloads(), strict=True)
        if one != other
    }
    assert changed == {("Deployment", "escadre-operator")}


def test_older_kubernetes_is_refused() -> None:
    done = helm("template", "escadre", str(CHART), "--set", IMAGE, "--kube-version=1.31.0")
    assert "requires kubeVersion: >=1.32.0-0" in done.stderr


def test_agent_restarts_only_for_its_own_settings() -> None:
    before, after = render("default"), render("default", "--set", "scaling.staleSeconds=20")
    checksums = [
        [one["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for one in workload]
        for workload in (before.workloads(), after.workloads())
    ]
    (operator_before, agent_before), (operator_after, agent_after) = checksums
    assert operator_before != operator_after
    assert agent_before == agent_after


def test_network_policies_can_be_left_out() -> None:
    assert not render("default", "--set", "networkPolicies.enabled=false").all("NetworkPolicy")


def test_chart_docs_and_changelog_are_of_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == __version__
    root = CHART.parents[1]
    install = (root / "docs" / "operate" / "install.md").read_text()
    assert set(re.findall(r"escadre:(\d+\.\d+\.\d+)", install)) == {__version__}
    assert f"## [{__version__}]" in (root / "CHANGELOG.md").read_text()
