"""What the agents say of a mirror: pulls that fail for a reason of its own, and probes. No I/O."""

from collections.abc import Iterable

from escadre.api.probe import ProbedMirror
from escadre.core.status.mirror import PullFailure
from escadre.reasons import Reason
from escadre.state.views import GPUNodeView

__all__ = ["changed_words", "failures_of"]


def failures_of(mirror: str, gpunodes: Iterable[GPUNodeView]) -> tuple[PullFailure, ...]:
    """One for each node whose pull from that mirror fails, by node."""
    found = [
        PullFailure(one.name, reason, message)
        for one in gpunodes
        for name, (reason, message) in _failed(one).items()
        if name == mirror
    ]
    return tuple(sorted(found, key=lambda one: one.node))


def changed_words(old: GPUNodeView | None, new: GPUNodeView | None) -> list[str]:
    """The mirrors of which a node says another thing now: somebody has to hear.

    Why its pulls from it fail, and what it found when it asked a little.
    """
    before, now = _words(old), _words(new)
    names = before.keys() | now.keys()
    return sorted(name for name in names if before.get(name) != now.get(name))


def _words(gpunode: GPUNodeView | None) -> dict[str, tuple[Reason | None, ProbedMirror | None]]:
    if gpunode is None:
        return {}
    fails = {name: reason for name, (reason, _) in _failed(gpunode).items()}
    found = {one.mirror: one for one in gpunode.status.probes}
    return {name: (fails.get(name), found.get(name)) for name in fails.keys() | found.keys()}


def _failed(gpunode: GPUNodeView) -> dict[str, tuple[Reason, str]]:
    """What another mirror may help against is a matter of the mirror, and not of the node."""
    return {
        one.mirror: (one.reason, one.message)
        for one in gpunode.status.weights
        if one.state == "Failed" and one.mirror and one.reason and one.reason.elsewhere
    }
