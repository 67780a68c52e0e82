"""The conditions of a ModelMirror: its spec, what one node found, what those who pull say. Pure.

The operator opens no connection to a mirror: the nodes do. One of them is asked to probe it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.probe import MirrorFacts
from escadre.core.counting import count
from escadre.core.decimals import bytes_text
from escadre.core.status.conditions import Leaf, as_progress, false, true
from escadre.names import ConditionType
from escadre.reasons import Kind, Reason
from escadre.reasons.said import Amount, Said, plain, say

__all__ = ["Found", "PullFailure", "Unasked", "mirror_leaves"]

_WORST_FIRST: Final = (Kind.INCIDENT, Kind.MOVE, Kind.UNDER_WAY, Kind.SETTLED)


class PullFailure(NamedTuple):
    """A node that failed to pull from the mirror, for a reason that is the mirror's."""

    node: str
    reason: Reason
    message: str


class Found(NamedTuple):
    """What a node found when it asked the mirror a little."""

    node: str
    approval: str
    facts: MirrorFacts


class Unasked(NamedTuple):
    """Why nothing was found; ``doubted`` while pulls from it failed since."""

    why: str
    doubted: bool = False


def mirror_leaves(
    invalid: str, failed: Sequence[PullFailure], probed: Found | Unasked
) -> list[Leaf]:
    """Ready, and while it is not what goes on or stays.

    Args:
        invalid: why its spec cannot be read, "" otherwise.
        failed: nodes whose pulls fail.
        probed: what was found, or why nothing was.
    """
    ready = _ready(invalid, failed, probed)
    return [ready] if ready.status == "True" else [ready, as_progress(ready)]


def _ready(invalid: str, failed: Sequence[PullFailure], probed: Found | Unasked) -> Leaf:
    if invalid:
        return false(ConditionType.READY, reasons.MIRROR_INVALID, plain(invalid))
    if failed:
        return _failing(failed)
    if isinstance(probed, Unasked):
        if probed.doubted:
            words = say("a pull from it failed a moment ago; {why}", why=probed.why)
            return false(ConditionType.READY, reasons.MIRROR_DOUBTED, words)
        words = say("its spec can be used; {why}", why=probed.why)
        return true(ConditionType.READY, reasons.MIRROR_ACCEPTED, words)
    if (fault := probed.facts.reason) is not None:
        words = say(
            "node {node} asked it for files of ModelApproval {approval}: {words}",
            node=probed.node,
            approval=probed.approval,
            words=probed.facts.message,
        )
        return false(ConditionType.READY, fault, words)
    return true(ConditionType.READY, reasons.MIRROR_ANSWERS, _answers(probed))


def _failing(failed: Sequence[PullFailure]) -> Leaf:
    worst = min(failed, key=lambda one: (_WORST_FIRST.index(one.reason.kind), one.node))
    words = say(
        "{number} to pull from it; node {node}: {words}",
        number=Amount(count(len(failed), "node fails", "nodes fail")),
        node=worst.node,
        words=worst.message,
    )
    return false(ConditionType.READY, worst.reason, words)


def _answers(probed: Found) -> Said:
    facts = probed.facts
    ranges = "in byte ranges" if facts.ranges else "without byte ranges: a file is one stream"
    first, rate = facts.first_byte_milliseconds, facts.bytes_per_second
    figures = [
        *([f"first byte after {first / 1000:.2g} s"] if first is not None else []),
        *([f"{bytes_text(rate)}/s over one connection"] if rate is not None else []),
        *([f"sent on to {', '.join(hosts)}"] if (hosts := facts.redirect_hosts) else []),
    ]
    return say(
        "node {node} got what it asked for of ModelApproval {approval}, {ranges}{figures}",
        node=probed.node,
        approval=probed.approval,
        ranges=ranges,
        figures=Amount("".join(f"; {one}" for one in figures)),
    )
