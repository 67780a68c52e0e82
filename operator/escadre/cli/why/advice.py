"""Who can mend a link that does not hold, what they look at, and the next step. Pure data.

The next step is the one of escadre.reasons; here stands only whose it is and where to look.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from escadre.cli.shared.deployed import Deployed
from escadre.cli.why.link import Link
from escadre.reasons import REASONS

__all__ = ["Advice", "advise"]

_OWNER: Final = "whoever owns the deployment"
_SECURITY: Final = "the people who may approve models"
_PLATFORM: Final = "the platform team"
_MIRROR: Final = "whoever runs the mirror"
_NOBODY: Final = "nobody has to act: it goes on by itself"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about a blocker."""

    next_step: str
    who: str
    look_at: str


_WHO_BY_STEP: Final[Mapping[str, str]] = {
    "wish": _OWNER,
    "approval": _SECURITY,
    "plan": _PLATFORM,
    "weights": _MIRROR,
    "nodes": _PLATFORM,
    "replicas": _PLATFORM,
    "serving": _PLATFORM,
}
_WHO_BY_REASON: Final[Mapping[str, str]] = {
    "AgentNotReady": _PLATFORM,
    "ApprovalNotFound": _OWNER,
    "ContextTooLong": _OWNER,
    "DigestMismatch": f"security, and {_MIRROR}",
    "InvalidSpec": _OWNER,
    "NameTaken": _OWNER,
    "NamespaceNotAllowed": f"{_OWNER}, or {_SECURITY}",
    "NoLayoutFits": f"{_OWNER}, or {_PLATFORM}",
    "NodeIdentityMismatch": _PLATFORM,
    "Pending": _PLATFORM,
    "PolicyMissing": _PLATFORM,
    "SecretNotFound": _PLATFORM,
    "SecretNotGranted": _PLATFORM,
    "StoreFull": _PLATFORM,
    "StoreUnusable": _PLATFORM,
    "TypicalTokensTooLong": _OWNER,
    "WriteRefused": f"{_OWNER}, or {_PLATFORM}",
}
_OPERATOR: Final = "kubectl get pods --all-namespaces -l app.kubernetes.io/name=escadre"


def advise(each: Deployed, blocker: "Link") -> Advice:
    """The advice for the first link that does not hold."""
    reason = blocker.condition.reason if blocker.condition else "Pending"
    known = REASONS.get(reason)
    step = known.next_step if known else "Read the message above."
    who = _WHO_BY_REASON.get(reason, _WHO_BY_STEP[blocker.step])
    return Advice(
        next_step=step.replace("NAME", each.spec.approval if each.spec else "NAME"),
        who=_NOBODY if blocker.state == "working" else who,
        look_at=_OPERATOR if reason == "Pending" else _look_at(each, blocker.step),
    )


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
        "replicas": f"kubectl {in_namespace} logs -l escadre.dev/deployment={each.name} -c engine",
        "serving": f"kubectl {in_namespace} describe mdep {each.name}",
    }[step]
