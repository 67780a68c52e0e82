"""An engine that dies while it serves: it ends with exit code 0, and its words say so."""

import os
import signal

import pytest

from e2e.cases.faulting import clear, engine_pods, engine_process, ready, restarts
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Json, Stage
from escadre.core.engines.lastwords import cause_of

pytestmark = pytest.mark.cluster


def test_an_engine_whose_core_died_ends_with_0_and_is_started_again(stage: Stage) -> None:
    stage.deploy("dies", "base")
    ready(stage, "dies")
    (pod,) = engine_pods(stage, "dies")
    before = restarts(stage, pod)
    os.kill(engine_process(pod, core=True), signal.SIGKILL)
    wait_for(lambda: restarts(stage, pod) > before, 30, "the engine to be started again")
    meta = pod["metadata"]
    now: Json = stage.cluster.get("pod", meta["name"], meta["namespace"])
    (container,) = now["status"]["containerStatuses"]
    ended = container["lastState"]["terminated"]
    assert ended["exitCode"] == 0
    assert "EngineDeadError: EngineCore encountered an issue." in cause_of(ended["message"])
    ready(stage, "dies")
    clear(stage, "dies")
