"""A pod's status in the words of a person, and when nobody should wait for it any longer."""

from typing import Any

import pytest
from e2e.cluster.podstates import GivenUpError, refuse_hopeless, state_of

Json = dict[str, Any]
RUNNING: Json = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
LOOP: Json = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}
NO_IMAGE: Json = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
CREATING: Json = {"waiting": {"reason": "ContainerCreating"}}


def ended(code: int, message: str = "") -> Json:
    return {"terminated": {"exitCode": code, "message": message}}


def container(state: Json, last: Json | None = None, restarts: int = 0) -> Json:
    found = {"name": "main", "state": state, "restartCount": restarts, "ready": False}
    return found | {"lastState": last or {}}


def pod(*containers: Json, ready: bool = False, **status: Any) -> Json:
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    conditions += status.pop("conditions", [])
    return {
        "metadata": {"namespace": "team", "name": "one"},
        "status": {"containerStatuses": list(containers), "conditions": conditions, **status},
    }


@pytest.mark.parametrize(
    ("given", "state", "failed"),
    [
        (pod(container(RUNNING), ready=True), "Ready", []),
        (pod(container(RUNNING, ended(1), 1), ready=True), "Ready, 1 restart", ["exit 1"]),
        (pod(container(RUNNING)), "main: runs, not ready", []),
        (pod(container(CREATING)), "main: ContainerCreating", []),
        (
            pod(container(LOOP, ended(127), 2)),
            "main: CrashLoopBackOff, exit 127, 2 restarts",
            ["exit 127"],
        ),
        (pod(container(ended(137))), "main: exit 137 (signal 9)", ["exit 137 (signal 9)"]),
        (pod(container(NO_IMAGE)), "main: ErrImagePull", ["ErrImagePull"]),
        (
            pod(
                container(CREATING),
                initContainerStatuses=[container(ended(0)) | {"name": "first"}],
            ),
            "main: ContainerCreating",
            [],
        ),
        (
            pod(
                conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes fit"}]
            ),
            "has no node: 0/3 nodes fit",
            [],
        ),
        (pod(), "not started", []),
    ],
    ids=[
        "ready",
        "ready after a crash",
        "runs",
        "being created",
        "crash loop",
        "killed",
        "no image",
        "init container is over",
        "no node",
        "bound only",
    ],
)
def test_a_pod_is_told_in_one_line(given: Json, state: str, failed: list[str]) -> None:
    found = state_of(given)
    assert (found.full_name, found.state) == ("team/one", state)
    assert [one.how for one in found.failed] == failed


def test_what_a_container_left_for_its_reader_is_kept() -> None:
    (failed,) = state_of(pod(container(LOOP, ended(1, "no GPU here"), 1))).failed
    assert failed.message == "no GPU here"


def test_a_pod_that_ends_again_and_again_is_given_up() -> None:
    refuse_hopeless([pod(container(LOOP, ended(127), 2))])
    refuse_hopeless([pod(container(RUNNING, ended(127), 9), ready=True)])
    with pytest.raises(GivenUpError, match=r"pod team/one does not get up: main: .* exit 127"):
        refuse_hopeless([pod(), pod(container(LOOP, ended(127), 3))])
