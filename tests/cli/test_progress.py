"""Progress of a pull comes from the agent, everything else from the deployment."""

from dataclasses import replace
from typing import Any

from tests.cli.world import condition

from escadre.api.base import Condition
from escadre.api.gpunode import GPUNodeStatus
from escadre.cli.shared.deployed import Deployed
from escadre.cli.status.progress import overlaid

DIGEST = "sha256:" + "1" * 64


def deployed(**weights: Any) -> Deployed:
    entry = {"node": "gpu-0", "manifestDigest": DIGEST, "state": "Pulling", **weights}
    return Deployed.read(
        {
            "metadata": {"name": "chat", "namespace": "team"},
            "spec": {"approval": "small", "contextLength": 4096},
            "status": {"weights": [entry]},
        }
    )


def agent(state: str, done: int, total: int = 100) -> dict[str, GPUNodeStatus]:
    entry = {
        "manifestDigest": DIGEST,
        "storeID": "s",
        "state": state,
        "bytesDone": done,
        "bytesTotal": total,
        "since": "2026-01-01T00:00:00Z",
    }
    return {"gpu-0": GPUNodeStatus.model_validate({"storeID": "s", "weights": [entry]})}


def test_the_agents_number_replaces_the_older_one() -> None:
    (one,) = overlaid(deployed(bytesDone=1, bytesTotal=100), agent("Pulling", 60)).status.weights
    assert (one.bytes_done, one.state) == (60, "Pulling")


def test_a_pull_that_began_shows_before_the_operator_says_so() -> None:
    (one,) = overlaid(deployed(state="Wanted"), agent("Pulling", 5)).status.weights
    assert one.state == "Pulling"


def test_only_the_operator_says_verified_or_failed() -> None:
    for state in ("Verified", "Failed"):
        (one,) = overlaid(deployed(bytesDone=1), agent(state, 100)).status.weights
        assert (one.bytes_done, one.state) == (1, "Pulling")


def test_a_node_that_may_not_be_read_changes_nothing() -> None:
    before = deployed(bytesDone=1)
    assert overlaid(before, {}) == before


def test_the_conditions_speak_of_the_newer_numbers() -> None:
    old = "node gpu-0 pulled 1 of 100 MB (1 %) from mirror internal at 3 MB/s"
    before = deployed(bytesDone=1, bytesTotal=100, mirror="internal")
    conditions = [
        condition("WeightsReady", "False", "Pulling", old),
        condition("Ready", "False", "Pulling", old),
        condition("Reconciling", "True", "Pulling", old),
        condition("Planned", "True", "Planned", "1×H100 tp1"),
    ]
    status = before.status.model_copy(
        update={"conditions": [Condition.model_validate(one) for one in conditions]}
    )
    told = agent("Pulling", 60_000_000, 100_000_000)
    said = [one.message for one in overlaid(replace(before, status=status), told).status.conditions]
    new = "node gpu-0 pulled 60 of 100 MB (60 %) from mirror internal at 0 MB/s"
    assert said == [new, new, new, "1×H100 tp1"]
