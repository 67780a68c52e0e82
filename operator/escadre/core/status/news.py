"""What deserves an event: conditions that turned, and what a pass did. Pure; the recorder tells it.

A wait on the way to Ready is told once and calmly; what was well before, or asks for someone, is a
warning; what the events of the replicas say already is not said again by the conditions.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from escadre import reasons
from escadre.core.replicas.rollout import RolloutPlan
from escadre.core.status.conditions import TRUE_IS_BAD, Leaf
from escadre.core.status.told import Past
from escadre.names import ConditionType
from escadre.reasons import Kind, Reason, Severity

__all__ = [
    "Change",
    "News",
    "Turn",
    "is_news",
    "is_warning",
    "news_of_deeds",
    "news_of_turns",
    "turns_of",
]

Turn = tuple[str, Reason]  # status and why
Change = tuple[str, str, str]  # created, mended or replanned, kind, name

_TOLD_WHEN_FALSE: Final = frozenset(
    {
        ConditionType.APPROVED,
        ConditionType.PLANNED,
        ConditionType.WEIGHTS_READY,
        ConditionType.SCALING,
    }
)
_REPLICAS: Final = frozenset({ConditionType.SCHEDULED, ConditionType.SERVING})
_STANDING: Final = frozenset({"Service", "NetworkPolicy", "PodDisruptionBudget"})  # once, for good
_DEEDS: Final = frozenset({"Create", "Drain", "Delete", "Replace"})


@dataclass(frozen=True, slots=True)
class News:
    """One event to be. ``done``: it tells of a deed, not of a state.

    ``topic`` is the condition whose state it tells, "" for none.
    """

    reason: Reason
    message: str
    warning: bool = False
    done: bool = False
    topic: str = ""


def turns_of(conditions: Iterable[Leaf | Past]) -> dict[str, Turn]:
    """How each condition stands, to find what turned the next time."""
    return {one.type: (one.status, one.reason) for one in conditions}


def news_of_turns(before: Mapping[str, Turn], leaves: Sequence[Leaf]) -> Iterator[News]:
    """One for each condition that turned and is worth it."""
    turned = turns_of(leaves)
    ready = turned.get(ConditionType.READY)
    for one in leaves:
        was, now = before.get(one.type), turned[one.type]
        if is_news(one.type, was, now, ready):
            words = f"{one.type}={one.status}: {one.spoken}"
            serves = turned.get(ConditionType.AVAILABLE, ("", None))[0] == "True"
            warning = is_warning(one.type, was, now, serves=serves)
            yield News(one.reason, words, warning=warning, topic=one.type)


def is_news(type_: str, before: Turn | None, now: Turn, ready: Turn | None) -> bool:
    """Whether a turn deserves an event: not what Ready says already, nor what just holds."""
    if now[0] == "Unknown" or before == now:
        return False
    if type_ == ConditionType.READY and not _held(before) and _told_by_replicas(now[1]):
        return False
    if type_ == ConditionType.APPROVED and now[0] == "True":
        return before is not None and before[0] == "False"  # was so from the beginning otherwise
    if type_ == ConditionType.READY:
        return True
    if type_ == ConditionType.AVAILABLE:
        return _out_or_back(before, now, ready)
    if type_ in TRUE_IS_BAD:
        return ready is None or now[1] != ready[1]
    if type_ == ConditionType.SCALING and (ready is None or ready[0] != "True"):
        return False  # nothing serves: what stands in its way stands in the way of scaling
    return now[0] == "False" and type_ in _TOLD_WHEN_FALSE and now != ready


def _out_or_back(before: Turn | None, now: Turn, ready: Turn | None) -> bool:
    """Whether service ended, or came back though Ready does not say so."""
    if now[0] == "False":
        return _held(before)
    back = before is not None and before[0] == "False"
    return back and (ready is None or ready[0] != "True")


def is_warning(type_: str, before: Turn | None, now: Turn, *, serves: bool = False) -> bool:
    """Whether the event of a turn asks for someone.

    Not what is on its way to Ready, nor what goes on by itself while enough answers (``serves``).
    """
    if type_ in TRUE_IS_BAD:
        return True
    if serves and now[1].kind is Kind.UNDER_WAY:
        return False
    return now[0] == "False" and (_held(before) or now[1].severity is not Severity.INFO)


def news_of_deeds(
    name: str, rollout: RolloutPlan, done: Container[int], changed: Iterable[Change], *, stood: bool
) -> Iterator[News]:
    """What was done to the replicas of the slots ``done``, and to other children.

    ``stood``: the deployment had replicas before, so what is made now was gone.
    """
    for action in rollout.actions:
        if action.verb in _DEEDS and action.slot in done:
            words = f"replica {name}-{action.slot}: {action.message}"
            yield News(action.reason, words, done=True)
    replaced = {f"{name}-{one.slot}" for one in rollout.actions if one.verb != "Keep"}
    for how, kind, child in changed:
        if how == "mended" and child not in replaced:
            yield News(reasons.CHILD_MENDED, f"{kind} {child} was put right")
        # Volumes and replicas come and go by themselves.
        if how == "created" and kind in _STANDING and stood:
            yield News(reasons.CHILD_MENDED, f"{kind} {child} was gone; made again")


def _held(before: Turn | None) -> bool:
    return before is not None and before[0] == "True"


def _told_by_replicas(reason: Reason) -> bool:
    """Whether the events of the replicas that are made, drained and replaced say it already."""
    return reason.kind is Kind.UNDER_WAY and not _REPLICAS.isdisjoint(reason.conditions)
