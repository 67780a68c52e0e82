"""A burst while an engine dies, does not load, hangs, cannot be read, or finds no GPU."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from e2e.cases.faulting import engine_pods, engine_process, kill_main_process, restarts
from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.pods import is_ready
from e2e.cluster.wait import wait_for
from e2e.scaling.bursting import CLIENTS, HANG, HOLD, MOST, WINDOW_SECONDS, Burst, bursting
from e2e.stage.ledger import turns
from e2e.stage.stage import TEAM, Json, Stage

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def _once_up_and_down(burst: Burst) -> None:
    assert turns(burst.ledger.numbers) == 1, burst.ledger.numbers
    assert max(burst.ledger.numbers) == MOST


def test_an_engine_that_dies_at_the_peak_costs_its_own_requests_only(stage: Stage) -> None:
    with bursting(stage, "crash") as burst:
        burst.at_peak()
        pod = next(iter(ready_pods(stage, "crash").values()))
        kill_main_process(pod)
        wait_for(lambda: restarts(stage, pod) > 0, 30, "the engine to be started again")
        burst.at_peak()
        lost, ended = burst.lost(), burst.ended()
        wait_for(lambda: burst.ended() > ended + 200, 60, "two hundred answers more")
        assert burst.ledger.numbers == sorted(burst.ledger.numbers), "never down for a crash"
        burst.end()
        burst.until_back()
    assert burst.lost() == lost, "none after it was out of the Service"
    assert len(burst.ledger.lives) == MOST
    _once_up_and_down(burst)


def test_loads_that_fail_are_tried_again_and_nothing_more_is_made(stage: Stage) -> None:
    with bursting(stage, "fails") as burst:
        burst.under_way()
        for count in (1, 2):
            _fail(stage, _loading(stage, "fails", count - 1), count)
        burst.at_peak()
        assert burst.ledger.numbers == sorted(burst.ledger.numbers)
        burst.end()
        burst.until_back()
    assert burst.why_lost() == {}
    assert len(burst.ledger.lives) == MOST, "a load that fails is no reason for one more"
    _once_up_and_down(burst)


def _fail(stage: Stage, pod: Json, count: int) -> None:
    kill_main_process(pod)
    wait_for(lambda: restarts(stage, pod) >= count, 30, "another try")


def _loading(stage: Stage, name: str, failed: int) -> Json:
    """Waits for a pod whose engine loads, and failed so often before."""

    def seen() -> Json | None:
        for pod in engine_pods(stage, name):
            status = (pod["status"].get("containerStatuses") or [{}])[0]
            running = "running" in status.get("state", {})
            if running and not is_ready(pod) and status["restartCount"] >= failed:
                return pod
        return None

    found: Json = wait_for(seen, 30, "an engine that loads")
    return found


@contextmanager
def _closed(stage: Stage) -> Iterator[None]:
    """No node takes a pod."""
    stage.cluster.kubectl("cordon", "gpu-0", "gpu-1")
    try:
        yield
    finally:
        stage.cluster.kubectl("uncordon", "gpu-0", "gpu-1")


def test_without_a_gpu_it_says_so_and_goes_on_when_there_is_one(stage: Stage) -> None:
    with bursting(stage, "roomless", begun=False) as burst:
        with _closed(stage):
            burst.begin()
            said = stage.wait_condition("roomless", "Planned", "InsufficientGPUs")["message"]
            answered = burst.ended()
            wait_for(lambda: burst.ended() > answered + 50, 60, "one replica to serve on")
        assert "is cordoned" in said
        burst.at_peak()
        assert burst.ledger.numbers == sorted(burst.ledger.numbers)
        burst.end()
        burst.until_back()
    assert burst.why_lost() == {}
    assert len(burst.ledger.lives) == MOST, "what has no place is not made again and again"
    _once_up_and_down(burst)


@contextmanager
def _stopped(stage: Stage, name: str) -> Iterator[None]:
    """All its engines stand still with what they hold; nobody probes them meanwhile."""
    engines = [engine_process(pod) for pod in ready_pods(stage, name).values()]
    stage.cluster.pause_runner()
    try:
        for process in engines:
            os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in engines:
            os.kill(process, signal.SIGCONT)
        stage.cluster.resume_runner()


def test_while_no_engine_can_be_read_nothing_goes(stage: Stage) -> None:
    with bursting(stage, "unread") as burst:
        burst.at_peak()
        with _stopped(stage, "unread"):
            said = stage.wait_condition("unread", "Scaling", "MetricsMissing")["message"]
            began = time.monotonic()
            wait_for(lambda: time.monotonic() > began + WINDOW_SECONDS + 4, 60, "a whole window")
            assert stage.condition("unread", "Scaling")["reason"] == "MetricsMissing"
            assert burst.ledger.numbers == sorted(burst.ledger.numbers)
        print(said)
        answered = burst.ended()
        wait_for(lambda: burst.ended() > answered + 50, 60, "answers again")
        burst.end()
        burst.until_back()
    assert burst.why_lost() == {}
    assert len(burst.ledger.lives) == MOST
    _once_up_and_down(burst)


def test_an_engine_that_hangs_while_it_says_200_is_made_anew(stage: Stage) -> None:
    """It stands still for a minute before it is asked for a token, and has 30 s for that one."""
    with bursting(stage, "hangs") as burst:
        burst.at_peak()
        uid, pod = next(iter(ready_pods(stage, "hangs").items()))
        Path(f"/proc/{engine_process(pod)}/root{HOLD}").touch()
        wait_for(lambda: uid not in ready_pods(stage, "hangs"), 240, "it to be made anew")
        wait_for(lambda: _told(stage, "hangs", "EngineHung"), 30, "the event")
        assert burst.ledger.numbers == [1, MOST], "what it holds is not known to be nothing"
        wait_for(lambda: burst.ledger.lives[uid].gone, 60, "it to be gone")
        burst.at_peak()
        lost, ended = burst.lost(), burst.ended()
        wait_for(lambda: burst.ended() > ended + 100, 60, "a hundred answers more")
        assert burst.ledger.numbers == [1, MOST], "nor do those go that idle until it is gone"
        burst.end()
        burst.until_back()
    assert burst.lost() == lost <= CLIENTS, "only what it held"
    _once_up_and_down(burst)


def test_an_engine_that_hangs_at_its_first_request_is_made_anew(stage: Stage) -> None:
    """Its metrics say that it has none; what it was given is counted in front of it."""
    two = {"minReplicas": 2, "maxReplicas": 2}
    with serving(stage, "mute", scaling=two):
        wait_for(lambda: len(ready_pods(stage, "mute")) == 2, 90, "both replicas")
        uid, pod = next(iter(ready_pods(stage, "mute").items()))
        Path(f"/proc/{engine_process(pod)}/root{HANG}").touch()
        with Traffic(stage, "mute", clients=8, max_tokens=20) as load:
            wait_for(lambda: uid not in ready_pods(stage, "mute"), 240, "it to be made anew")
            wait_for(lambda: _told(stage, "mute", "EngineHung"), 30, "the event")
            there = partial(pods_of, stage, "mute")
            wait_for(lambda: uid not in [one["metadata"]["uid"] for one in there()], 60, "its end")
            wait_for(lambda: len(ready_pods(stage, "mute")) == 2, 90, "both replicas again")
            lost, ended = load.lost, load.ended
            wait_for(lambda: load.ended > ended + 100, 60, "a hundred answers more")
    assert load.lost == lost <= 8, "only what it held"


def _told(stage: Stage, name: str, reason: str) -> list[str]:
    chosen = f"involvedObject.name={name},reason={reason}"
    found = stage.cluster.list("events", "-n", TEAM, "--field-selector", chosen)
    return [one["message"] for one in found]
