"""What a deployment lives on: its approval, and the mirror of its weights."""

from typing import Final

from e2e.breaker.case import SERVED, Case
from e2e.cases.faulting import clear, mirror_fault
from e2e.engine.checkpoint import Shape, padded
from e2e.stage.stage import Stage
from escadre import reasons

__all__ = ["CASES"]

_MEBIBYTE: Final = 1 << 20
_ANEW: Final = "served-anew"


def _revoke(stage: Stage) -> None:
    words = ("approve", "revoke", SERVED, "--yes", "--reason", "incident 42")
    stage.escadre(*words, who="bruno")


def _approve_again(stage: Stage) -> None:
    """Under another name: a revocation holds for ever, and for the same content too."""
    stage.approve("base", options={"--name": _ANEW})
    stage.deploy(SERVED, _ANEW, scaling=stage.mdep(SERVED)["spec"]["scaling"])


def _stall(stage: Stage) -> None:
    """The mirror sends the first chunk of a model and then no byte more."""
    stage.publish("large", seed=4, shape=padded(Shape(), 200))
    stage.approve("large")
    mirror_fault(stage, "stall", f"after={65 * _MEBIBYTE}", "path=*consolidated*")
    stage.deploy("pulled", "large")


def _forget_pulled(stage: Stage) -> None:
    mirror_fault(stage)
    clear(stage, "pulled")
    stage.cluster.kubectl("delete", "mapp", "large", "--ignore-not-found")


CASES: Final = (
    Case(
        name="approval-revoked",
        broken="bruno revokes the approval of what serves",
        reasons=(reasons.REVOKED,),
        words="bruno revoked",
        heals="when a new approval is drafted, signed by two and named",
        deed=_revoke,
        mend=_approve_again,
        within=60,
    ),
    Case(
        name="mirror-frozen",
        broken="the mirror stops sending in the middle of a pull",
        reasons=(reasons.PULLING,),
        words="no byte from mirror internal since",
        heals="when the mirror sends again",
        deed=_stall,
        mend=mirror_fault,
        after=_forget_pulled,
        within=120,
        deployment="pulled",
    ),
)
