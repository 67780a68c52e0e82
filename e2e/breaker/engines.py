"""Engines that die or hang, and claims that are taken from under them."""

import os
import signal
from typing import Final

from e2e.breaker.case import SERVED, Case
from e2e.cases.faulting import engine_process, ready_pod
from e2e.cluster.pods import is_ready
from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Stage
from escadre import reasons

__all__ = ["CASES"]


def _kill(stage: Stage) -> None:
    os.kill(engine_process(ready_pod(stage, SERVED)), signal.SIGKILL)


def _freeze(stage: Stage) -> None:
    """Returns when its kubelet says that it is not ready: nobody knows before."""
    pod = ready_pod(stage, SERVED)
    meta = pod["metadata"]
    os.kill(engine_process(pod), signal.SIGSTOP)

    def noticed() -> bool:
        return not is_ready(stage.cluster.get("pod", meta["name"], meta["namespace"]))

    wait_for(noticed, 30, "the frozen engine to be not ready")


def _take_claims(stage: Stage) -> None:
    """Claims and volumes go while engines use them; returns when they are bound again."""
    claims = ("pvc", "-n", TEAM, "-l", f"escadre.dev/deployment={SERVED}")
    before = {one["metadata"]["uid"] for one in stage.cluster.list(*claims)}
    assert before, f"{SERVED} has no claim"
    volumes = f"escadre.dev/owner-namespace={TEAM},escadre.dev/owner-name={SERVED}"
    stage.cluster.kubectl("delete", *claims, "--wait=false")
    stage.cluster.kubectl("delete", "pv", "-l", volumes, "--wait=false")

    def anew() -> bool:
        now = stage.cluster.list(*claims)
        fresh = [one for one in now if one["metadata"]["uid"] not in before]
        return len(fresh) == len(before) == len(now) and all(
            one["status"]["phase"] == "Bound" for one in fresh
        )

    wait_for(anew, 60, "the claims to be made anew and bound")


CASES: Final = (
    Case(
        name="engine-killed",
        broken="the server process of an engine gets SIGKILL",
        reasons=(reasons.ENGINE_FAILING,),
        heals="by itself: the engine is started again",
        deed=_kill,
        within=60,
        may_lose=10,
    ),
    Case(
        name="engine-frozen",
        broken="the server process of an engine is stopped with SIGSTOP",
        reasons=(reasons.NOT_RESPONDING,),
        heals="by itself: its probe fails, and it is started again",
        deed=_freeze,
        within=180,
        may_lose=30,
    ),
    Case(
        name="claims-deleted",
        broken="claims and volumes are deleted while engines use them",
        reasons=(),
        heals="by itself: they are made anew under the pods that serve",
        deed=_take_claims,
        within=60,
    ),
)
