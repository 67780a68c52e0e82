"""However the demo ends, it says so and what to do next; no end is a traceback."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from e2e.cluster.cluster import CommandError
from e2e.cluster.control import ControlError
from e2e.cluster.folders import StateFolder
from e2e.demo import performance
from e2e.demo.performance import Performance
from e2e.demo.recorder import Recorder
from rich.console import Console

POD: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "engine-0"},
    "status": {
        "containerStatuses": [
            {
                "name": "engine",
                "restartCount": 2,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 127}},
            }
        ]
    },
}


REFUSED = subprocess.CompletedProcess(["kubectl"], 1, "", "connection refused")


class FakeCluster:
    """What a performance asks of a cluster; ``away`` makes each question fail."""

    name = "demo"

    def __init__(self, root: Path) -> None:
        self.state = StateFolder(root)
        self.away = False
        self.stopped = 0
        self.on_start: Callable[[], None] = lambda: None

    def _ask(self) -> None:
        if self.away:
            raise CommandError(["kubectl", "get"], REFUSED)

    def start(self) -> None:
        self.state.root.mkdir()
        self.on_start()
        log = self.state.pods / "team_engine-0_1" / "engine.log"
        log.parent.mkdir(parents=True)
        log.write_text("no such program [/red]\n" * 3)

    def stop(self) -> None:
        self.stopped += 1

    def list(self, kind: str, *_: str) -> list[dict[str, Any]]:
        self._ask()
        return [POD] if kind == "pods" else []

    def kubectl(self, *_: str) -> str:
        self._ask()
        return ""

    def get(self, *_: str) -> dict[str, Any]:
        self._ask()
        return {"spec": {"clusterIP": "10.96.1.1"}}

    def components(self) -> dict[str, dict[str, int | None]]:
        if self.away:
            raise ControlError("nobody")
        return {"etcd": {"pid": 7, "starts": 1}, "kwok": {"pid": 9, "starts": 2}}


class FakeStage:
    """A stage without a mirror."""

    mirror_ended = False

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.folder = cluster.state.root / "demo"

    def close(self) -> None:
        """Nothing runs."""


Ended = tuple[int, str, FakeCluster]


@pytest.fixture
def perform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ended]]:
    """Plays the demo with an act that raises ``error``; exit status, what is seen, the cluster."""
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(performance, "REPOSITORY", tmp_path)
    monkeypatch.setattr(performance, "report_path", lambda: tmp_path / "build" / "report.json")

    def perform(
        error: BaseException | None, *, keep: bool, away: bool = False, early: bool = False
    ) -> Ended:
        cluster = FakeCluster(tmp_path / "state")
        monkeypatch.setattr(performance, "is_running", lambda _: True)

        class Act:
            def __init__(self, _: FakeStage, recorder: Recorder, **__: object) -> None:
                self.recorder = recorder

            def play(self) -> None:
                with self.recorder.step("a step"):
                    cluster.away = away
                    if error is not None:
                        raise error

        def fail() -> None:
            assert error is not None
            raise error

        if early:
            cluster.on_start = fail
        monkeypatch.setattr(performance, "Act", Act)
        seen = StringIO()
        recorder = Recorder(console=Console(file=seen, width=80))
        stage: Any = FakeStage(cluster)
        code = Performance(stage, recorder, real_engine=False, keep=keep).run()
        return code, seen.getvalue(), cluster

    yield perform
    signal.signal(signal.SIGINT, before)


def test_a_good_end_stops_the_cluster_and_keeps_no_logs(
    perform: Callable[..., Ended], tmp_path: Path
) -> None:
    code, seen, cluster = perform(None, keep=False)
    assert (code, cluster.stopped) == (0, 1)
    assert "failed" not in seen
    assert not (tmp_path / "build" / "failure").exists()
    assert all(
        one["ok"] for one in json.loads((tmp_path / "build/report.json").read_text())["steps"]
    )


@pytest.mark.parametrize(
    "error",
    [
        AssertionError("waiting for [/bold] things: [Errno 2] not within 9 s"),
        KeyError("status"),
        TimeoutError(),
    ],
    ids=["a condition that did not come", "a fault of the demo", "an error without words"],
)
def test_a_failure_says_what_to_look_for_and_where_the_logs_lie(
    perform: Callable[..., Ended], tmp_path: Path, error: Exception
) -> None:
    code, seen, cluster = perform(error, keep=False)
    assert (code, cluster.stopped) == (1, 1)
    assert "failed in step 2: a step" in seen
    assert (str(error) or "TimeoutError") in seen
    assert "team/engine-0: engine: CrashLoopBackOff, exit 127, 2 restarts" in seen
    assert "no such program [/red]  (3 times)" in seen
    assert "kwok was started 2 times" in seen
    assert "etcd" not in seen
    assert seen.rstrip().endswith("make demo KEEP=1")
    assert "Traceback" not in seen
    failure = tmp_path / "build" / "failure"
    assert "Traceback" in (failure / "traceback.txt").read_text()
    assert (failure / "pods" / "team_engine-0_1" / "engine.log").exists()


@pytest.mark.parametrize(
    ("error", "code"), [(AssertionError("not within 9 s"), 1), (KeyboardInterrupt(), 130)]
)
def test_a_kept_cluster_goes_on_and_says_how_to_look_and_to_end_it(
    perform: Callable[..., Ended], error: BaseException, code: int
) -> None:
    found, seen, cluster = perform(error, keep=True)
    assert (found, cluster.stopped) == (code, 0)
    assert "kubectl get pods -A" in seen
    assert "http://10.96.1.1/v1/chat/completions" in seen
    assert seen.rstrip().endswith(".venv/bin/python -m e2e.cluster down --name demo")


def test_a_cluster_that_does_not_answer_is_told_in_lines_too(
    perform: Callable[..., Ended],
) -> None:
    code, seen, cluster = perform(AssertionError("not within 9 s"), keep=True, away=True)
    assert (code, cluster.stopped) == (1, 0)
    assert "pods: kubectl get: status 1: connection refused" in seen
    assert "the cluster's supervisor does not answer" in seen
    assert "down --name demo" in seen


def test_a_cluster_that_did_not_get_ready_is_not_kept(perform: Callable[..., Ended]) -> None:
    code, seen, cluster = perform(KeyboardInterrupt(), keep=True, early=True)
    assert (code, cluster.stopped) == (130, 1)
    assert "interrupted in step 1" in seen
    assert "The cluster goes on" not in seen
