"""Whether layouts are judged by the rules of the engines that run: the condition EngineMismatch.

It is there only while they are not, or may not be. Ready does not wait for it: what serves, serves.
What engines say of themselves is a stranger's word: state/engines.py hands it on as versions only.
Pure.
"""

from dataclasses import dataclass
from typing import Final

from escadre import reasons
from escadre.core.listing import listed
from escadre.core.profile import Profiled, minor_of, profile_for
from escadre.core.status.conditions import Leaf, true
from escadre.core.status.told import Told
from escadre.names import ConditionType
from escadre.reasons.said import plain, say

__all__ = ["UNASKED", "EngineSeen", "engine_leaves"]

_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class EngineSeen:
    """By which version layouts are judged, and which versions the replicas on today's inputs say.

    ``told`` are names of replicas and their versions; ``unasked``: one that is ready was not asked
    yet, so the last word stands.
    """

    judged: Profiled
    told: tuple[tuple[str, str], ...] = ()
    unasked: bool = False


UNASKED: Final = EngineSeen(profile_for(None))  # while no engine runs


def engine_leaves(seen: EngineSeen, previous: Told) -> list[Leaf]:
    """The condition, or none."""
    judged = seen.judged
    odd = [one for one in seen.told if minor_of(one[1]) != judged.asked]
    if odd:
        return [_differs(judged, odd)]
    if seen.unasked and (before := _before(previous)):
        return [before]
    if judged.note:
        return [_mismatch(reasons.ENGINE_VERSION_NOT_KNOWN, judged.note)]
    return []


def _differs(judged: Profiled, odd: list[tuple[str, str]]) -> Leaf:
    version = odd[0][1]
    names = listed([name for name, one in odd if one == version], _NAMED)
    notes = [one for one in (profile_for(version).note, judged.note) if one]
    words = say(
        "{names}: the engine says that it is vLLM {version}, and layouts are judged as for "
        "{asked}{notes}",
        names=names,
        version=version,
        asked=judged.asked,
        notes="".join(f"; {one}" for one in notes),
    )
    return true(ConditionType.ENGINE_MISMATCH, reasons.ENGINE_VERSION_DIFFERS, words)


def _mismatch(reason: reasons.Reason, words: str) -> Leaf:
    return true(ConditionType.ENGINE_MISMATCH, reason, plain(words))


def _before(previous: Told) -> Leaf | None:
    """What engines said to whoever led before."""
    for one in previous.conditions:
        if one.type == ConditionType.ENGINE_MISMATCH and (
            one.reason is reasons.ENGINE_VERSION_DIFFERS
        ):
            return _mismatch(one.reason, one.message)
    return None
