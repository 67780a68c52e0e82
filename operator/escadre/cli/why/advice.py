"""Who can mend a link that does not hold, what they look at, and the next step. Pure data.

The next step is what the condition says, else that of the reason, which knows whose it is; here
stands only where to look.
"""

from dataclasses import dataclass
from typing import Final

from escadre import reasons
from escadre.cli.shared.deployed import Deployed
from escadre.cli.why.link import Link
from escadre.reasons import Kind, Reason

__all__ = ["Advice", "advise"]

_NOBODY: Final = "nobody has to act: it goes on by itself"
_NOBODY_YET: Final = "nobody at first: it goes on by itself; if it stays, "


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a blocker."""

    next_step: str
    who: str
    look_at: str


_OPERATOR: Final = "kubectl get pods --all-namespaces -l app.kubernetes.io/name=escadre"


def advise(each: Deployed, blocker: "Link") -> Advice:
    """The advice for the first link that does not hold."""
    reason = blocker.condition.reason if blocker.condition else reasons.PENDING
    told = blocker.condition.next_step if blocker.condition else None
    look_at = _OPERATOR if reason == reasons.PENDING else _look_at(each, blocker.step)
    if reason == reasons.ENGINE_FAILING:
        look_at += " --previous"  # the engine that ended; the one that starts has no cause yet
    return Advice(
        next_step=told or reason.advice or "Read the message above.",
        who=_who(reason),
        look_at=look_at,
    )


def _who(reason: Reason) -> str:
    if reason.kind is not Kind.UNDER_WAY:
        return reason.who
    return _NOBODY_YET + reason.who if reason.who else _NOBODY


def _look_at(each: Deployed, step: str) -> str:
    approval = each.spec.approval if each.spec else ""
    in_namespace = f"-n {each.namespace}"
    nodes = [one.node for one in each.status.weights if one.state != "Verified"]
    return {
        "wish": f"kubectl {in_namespace} get mdep {each.name} -o yaml",
        "approval": f"escadre approve show {approval}",
        "plan": f"escadre status {each.name} {in_namespace}; kubectl get gpunodes",
        "weights": f"kubectl get gpunode {' '.join(nodes[:3])} -o yaml".replace("  ", " "),
        "nodes": f"kubectl {in_namespace} describe pods -l escadre.dev/deployment={each.name}",
        "replicas": f"escadre logs {each.name} {in_namespace}",
        "serving": f"kubectl {in_namespace} describe mdep {each.name}",
    }[step]
