"""Wishes that cannot be met: each says why, with numbers, and is met once it is corrected."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.cases.faulting import clear, engine_pods, ready, why
from e2e.stage.stage import TEAM, Stage

pytestmark = pytest.mark.cluster

OTHER_TEAM = "recherche"
BLOCKED = ("ghost", "toolong", "toomuch", "crash")


@pytest.fixture(scope="module")
def wishes(stage: Stage) -> Iterator[Stage]:
    """All of them are made at once, so that they wait together."""
    stage.team(OTHER_TEAM)
    draft = stage.draft("base", options={"--name": "liar"})
    text = draft.read_text()
    assert "maxContextLength: 32768" in text
    draft.write_text(text.replace("maxContextLength: 32768", "maxContextLength: 1048576"))
    stage.kubectl("rita", "create", "-f", str(draft))
    for who in ("anna", "bruno"):
        stage.escadre("approve", "sign", "liar", "--yes", who=who)
    stage.deploy("ghost", "nobody-asked")
    stage.deploy("stranger", "base", namespace=OTHER_TEAM)
    stage.deploy("toolong", "base", contextLength=65536)
    much: dict[str, Any] = {"contextLength": 1048576, "typicalTokens": 1048576, "concurrency": 4096}
    stage.deploy("toomuch", "liar", namespace=TEAM, **much)
    stage.deploy("crash", "liar", contextLength=65536)
    yield stage
    clear(stage, *BLOCKED)
    clear(stage, "stranger", namespace=OTHER_TEAM)
    stage.cluster.kubectl("delete", "mapp", "liar")
    stage.cluster.kubectl("delete", "namespace", OTHER_TEAM, "--wait=false")


@pytest.mark.parametrize(
    ("name", "namespace", "type_", "reason", "words"),
    [
        pytest.param(
            "ghost",
            TEAM,
            "Approved",
            "ApprovalNotFound",
            ["ModelApproval nobody-asked does not exist", "Create and sign the approval"],
            id="approval missing",
        ),
        pytest.param(
            "stranger",
            OTHER_TEAM,
            "Approved",
            "NamespaceNotAllowed",
            [f"is for namespaces {TEAM}, not for {OTHER_TEAM}"],
            id="approval for another namespace",
        ),
        pytest.param(
            "toolong",
            TEAM,
            "Planned",
            "ContextTooLong",
            ["65,536", "32,768", "Lower spec.contextLength"],
            id="context longer than the model's",
        ),
        pytest.param(
            "toomuch",
            TEAM,
            "Planned",
            "NoLayoutFits",
            ["H100", "Lower contextLength or concurrency"],
            id="no layout holds it",
        ),
    ],
)
def test_a_wish_that_cannot_be_met_says_why(
    wishes: Stage, name: str, namespace: str, type_: str, reason: str, words: list[str]
) -> None:
    found = wishes.wait_condition(name, type_, reason, namespace=namespace)
    assert found["status"] == "False"
    for word in words:
        assert word in f"{found['message']}. {found['nextStep']}"
    wishes.wait_condition(name, "Ready", reason, namespace=namespace, deadline=10)
    assert engine_pods(wishes, name, namespace) == []


def test_a_stalled_wish_is_met_once_it_is_corrected_and_stops_nothing(stage: Stage) -> None:
    stage.deploy("regret", "base", contextLength=65536)
    stage.wait_condition("regret", "Stalled", "ContextTooLong")
    stage.deploy("regret", "base")
    types = {one["type"] for one in ready(stage, "regret")["status"]["conditions"]}
    assert "Stalled" not in types
    (before,) = engine_pods(stage, "regret")
    stage.deploy("regret", "base", contextLength=65536)
    stage.wait_condition("regret", "Stalled", "ContextTooLong")
    found = stage.wait_condition("regret", "Serving", "RollingOut")
    assert "0 of 1 needed replicas are ready on the current inputs, 1 on any" in found["message"]
    (still,) = engine_pods(stage, "regret")
    assert still["metadata"]["labels"]["escadre.dev/serving"] == "true"
    stage.deploy("regret", "base")
    ready(stage, "regret")
    (after,) = engine_pods(stage, "regret")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    clear(stage, "regret")


def test_an_engine_that_exits_at_start_explains_itself_and_is_replaced(wishes: Stage) -> None:
    found = wishes.wait_condition("crash", "Serving", "EngineFailing")
    words = "User-specified max_model_len (65536) is greater than the derived max_model_len"
    assert "exited with 1" in found["message"]
    assert words in found["message"]
    wishes.wait_condition("crash", "Ready", "EngineFailing", deadline=10)
    said = why(wishes, "crash")
    assert "EngineFailing" in said, said
    assert words in said
    wishes.deploy("crash", "base")
    ready(wishes, "crash")


def test_taken_gpus_are_told_with_numbers_and_awaited(stage: Stage) -> None:
    for node in ("gpu-0", "gpu-1"):
        stage.cluster.apply(_foreign(node))
    # 4096 requests of 32768 tokens need four GPUs; three are left on each node.
    wish: dict[str, Any] = {"contextLength": 32768, "typicalTokens": 32768, "concurrency": 4096}
    stage.deploy("wide", "base", namespace=TEAM, **wish)
    try:
        found = stage.wait_condition("wide", "Planned", "InsufficientGPUs")
        for word in ("1 of 1 replicas have no node", "gpu-0", "4"):
            assert word in found["message"]
        assert engine_pods(stage, "wide") == []
        for node in ("gpu-0", "gpu-1"):
            stage.cluster.kubectl("delete", "pod", f"foreign-{node}", "-n", TEAM)
        assert "tp4" in ready(stage, "wide")["status"]["plan"]["summary"]
    finally:
        clear(stage, "wide")


def _foreign(node: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "escadre.test/fake",
        "resources": {"limits": {"nvidia.com/gpu": "5"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"foreign-{node}", "namespace": TEAM},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }
