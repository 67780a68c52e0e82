"""What the agents say of a mirror: the pulls from it that fail for a reason of its own. No I/O."""

from collections.abc import Iterable, Mapping

from escadre.core.status.mirror import PullFailure
from escadre.reasons import Reason
from escadre.state.views import GPUNodeView

__all__ = ["failing", "failures_of"]


def failures_of(mirror: str, gpunodes: Iterable[GPUNodeView]) -> tuple[PullFailure, ...]:
    """One for each node whose pull from that mirror fails, by node."""
    found = [
        PullFailure(one.name, reason, message)
        for one in gpunodes
        for name, (reason, message) in _failed(one).items()
        if name == mirror
    ]
    return tuple(sorted(found, key=lambda one: one.node))


def failing(gpunode: GPUNodeView | None) -> Mapping[str, Reason]:
    """By mirror, why this node's pulls from it fail: when that changes, somebody has to hear."""
    return {name: why for name, (why, _) in _failed(gpunode).items()} if gpunode else {}


def _failed(gpunode: GPUNodeView) -> dict[str, tuple[Reason, str]]:
    """What another mirror may help against is a matter of the mirror, and not of the node."""
    return {
        one.mirror: (one.reason, one.message)
        for one in gpunode.status.weights
        if one.state == "Failed" and one.mirror and one.reason and one.reason.elsewhere
    }
