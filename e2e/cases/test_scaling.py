"""Replicas follow the queue on the real path, and who sends requests does not notice."""

import os
import signal
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from e2e.cases.faulting import engine_process
from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.audit import OPERATOR
from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Json, Stage

pytestmark = pytest.mark.cluster


def _replicas(stage: Stage, name: str) -> Json:
    replicas: Json = stage.mdep(name)["status"]["replicas"]
    return replicas


def _workloads(stage: Stage, name: str) -> list[Json]:
    return stage.cluster.list("deployments", "-n", TEAM, "-l", f"escadre.dev/deployment={name}")


def test_replicas_follow_the_queue_and_no_request_is_lost(stage: Stage) -> None:
    scaling = {"minReplicas": 1, "maxReplicas": 3, "targetQueueDepth": 8}
    with serving(stage, "scale", concurrency=8, scaling=scaling):
        with Traffic(stage, "scale", clients=20, max_tokens=96) as load:
            wait_for(lambda: _replicas(stage, "scale")["ready"] == 3, 60, "3 ready replicas")
            up = stage.mdep("scale")["status"]["lastScale"]
            began = stage.cluster.audit.mark()  # before anybody may think of fewer
        assert load.summary.lost == 0, load.summary
        assert (up["to"], up["target"], up["reason"]) == (3, 8, "DemandUp")
        assert up["from"] in {1, 2}
        assert up["demand"] > 16
        _event(stage, "scale", f"from {up['from']} to 3 replicas: DemandUp")
        told = stage.mdep("scale")["status"]["scaling"]
        assert told["history"][-1] == up
        assert (told["signal"], told["capacity"], told["capacityFrom"]) == ("Requests", 8, "Fixed")

        # Answers of 5 s are under way when some replicas leave. Six requests at once at most,
        # however slow this machine is: one replica is enough for eight.
        with (
            Traffic(stage, "scale", clients=3, max_tokens=1000, stream=True) as long,
            Traffic(stage, "scale", clients=1) as short,
            Traffic(stage, "scale", clients=2, max_tokens=32, keep_alive=True) as kept,
        ):
            wait_for(lambda: len(_workloads(stage, "scale")) == 1, 120, "1 replica again")
            wait_for(lambda: len(pods_of(stage, "scale")) == 1, 30, "the pods to be gone")
        assert short.summary.lost == 0, short.summary
        assert long.summary.lost == 0, long.summary
        assert kept.summary.lost == 0, kept.summary
        assert kept.summary.answered > 0
        down = stage.mdep("scale")["status"]["lastScale"]
        assert (down["to"], down["reason"]) == (1, "DemandDown")
        _event(stage, "scale", "to 1 replica: DemandDown")
        _drained_before_deletion(stage, "scale", began, 2)


def test_a_window_of_a_schedule_brings_replicas_and_says_so(stage: Stage) -> None:
    scaling: Json = {"minReplicas": 1, "maxReplicas": 2, "targetQueueDepth": 8}
    with serving(stage, "window", scaling=scaling):
        before = stage.mdep("window")["status"]["scaling"]
        assert (before["minReplicas"], "schedule" in before, before["limits"]) == (
            1,
            False,
            ["minReplicas"],
        )
        engines = set(ready_pods(stage, "window"))
        begun = datetime.now(ZoneInfo("Europe/Paris"))
        window = {
            "cron": f"{begun.minute} * * * *",
            "timeZone": "Europe/Paris",
            "duration": "30m",
            "minReplicas": 2,
        }
        stage.deploy("window", "base", scaling={**scaling, "schedules": [window]})
        wait_for(lambda: _replicas(stage, "window")["ready"] == 2, 60, "the window's replicas")
        status = stage.mdep("window")["status"]
        told, changed = status["scaling"], status["scaling"]["history"][-1]
        assert (changed["from"], changed["to"], changed["reason"]) == (1, 2, "ScheduleBegan")
        assert (told["minReplicas"], told["schedule"]) == (2, 0)
        ends = datetime.fromisoformat(told["nextChangeAt"]) - begun
        assert timedelta(minutes=28) < ends <= timedelta(minutes=30)
        _event(stage, "window", "from 1 to 2 replicas: ScheduleBegan")
        assert engines <= set(ready_pods(stage, "window")), "no engine is replaced for it"

        stage.deploy("window", "base", scaling=scaling)
        wait_for(lambda: len(_workloads(stage, "window")) == 1, 120, "1 replica again")


def _event(stage: Stage, name: str, words: str) -> None:
    chosen = f"involvedObject.name={name},reason=Scaled"
    query = ("events", "-n", TEAM, "--field-selector", chosen)
    wait_for(
        lambda: any(words in event["message"] for event in stage.cluster.list(*query)),
        30,
        f"the event {words!r}",
        lambda: [event["message"] for event in stage.cluster.list(*query)],
    )


def _drained_before_deletion(stage: Stage, name: str, since: int, count: int) -> None:
    """Each deleted replica's pod was taken out of the Service first, well before."""
    done = [
        one for one in stage.cluster.audit.answered(since) if one.user == OPERATOR and one.writes
    ]
    labelled = {
        one.name.rsplit("-", 2)[0]: one.received
        for one in done
        if one.target == "pods" and one.name.startswith(f"{name}-")
    }
    deleted = {
        one.name: one.received
        for one in done
        if (one.target, one.verb) == ("deployments", "delete") and one.name.startswith(f"{name}-")
    }
    assert len(deleted) == count, (labelled, deleted)
    assert labelled.keys() == deleted.keys()
    assert all(labelled[slot] < at for slot, at in deleted.items()), (labelled, deleted)


def test_a_rollout_loses_no_request(stage: Stage) -> None:
    scaling = {"minReplicas": 2, "maxReplicas": 2}
    with serving(stage, "roll", scaling=scaling):
        before = set(ready_pods(stage, "roll"))
        with (
            Traffic(stage, "roll", rate=0.4, max_tokens=600, stream=True) as long,
            Traffic(stage, "roll", rate=4, max_tokens=32) as short,
        ):
            stage.deploy("roll", "base", contextLength=2048, scaling=scaling)

            def rolled() -> bool:
                now = ready_pods(stage, "roll")
                return len(now) == 2 and not before & set(now)

            wait_for(rolled, 120, "both replicas to be replaced")
            stage.wait_condition("roll", "Ready", "Ready")
        assert short.summary.lost == 0, short.summary
        assert long.summary.lost == 0, long.summary
        for pod in ready_pods(stage, "roll").values():
            assert "--max-model-len=2048" in pod["spec"]["containers"][0]["args"]


def test_a_number_without_metrics_is_held_and_said(stage: Stage) -> None:
    scaling = {"minReplicas": 2, "maxReplicas": 3}
    with serving(stage, "blind", scaling=scaling):
        pod = next(
            pod
            for pod in ready_pods(stage, "blind").values()
            if pod["metadata"]["labels"]["escadre.dev/slot"] == "1"
        )
        engine = engine_process(pod)
        stage.cluster.pause_runner()  # or its probes would find the pod not ready soon, too
        os.kill(engine, signal.SIGSTOP)
        try:
            stage.deploy("blind", "base", scaling=scaling | {"minReplicas": 1})
            wait_for(
                # Another replica may just have become ready, and was not read for the first time.
                lambda: "replica 1 are missing" in stage.condition("blind", "Scaling")["message"],
                30,
                "the replica without metrics to be named",
            )
            said = stage.condition("blind", "Scaling")
            assert (said["status"], said["reason"]) == ("False", "MetricsMissing")
            assert _replicas(stage, "blind")["desired"] == 2
        finally:
            os.kill(engine, signal.SIGCONT)
            stage.cluster.resume_runner()
        wait_for(
            lambda: stage.condition("blind", "Scaling")["status"] == "True",
            30,
            "the number to follow the queue again",
        )
