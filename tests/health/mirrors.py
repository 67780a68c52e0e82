"""The table of truth of ModelMirrors."""

from datetime import UTC, datetime
from typing import Final

from tests.core.statuses import NOW
from tests.health.cell import DONE, GOES_ON, STAYS, Cell, Meaning, cell, stored, unseen

from escadre import reasons
from escadre.api.mirror import ModelMirrorStatus
from escadre.api.probe import MirrorFacts
from escadre.api.wire import dump
from escadre.core.status.conditions import merge
from escadre.core.status.mirror import Found, PullFailure, Unasked, mirror_leaves

__all__ = ["MIRRORS"]

_UNASKED: Final = Unasked("nothing was asked of it")
_DOWN: Final = PullFailure("gpu-0", reasons.MIRROR_UNAVAILABLE, "connection refused")
_WRONG: Final = PullFailure("gpu-1", reasons.DIGEST_MISMATCH, "chunk 3 differs")


def _cell(
    what: str,
    ready: str,
    meaning: Meaning,
    *failed: PullFailure,
    invalid: str = "",
    probed: Found | Unasked = _UNASKED,
) -> Cell:
    conditions = merge(mirror_leaves(invalid, failed, probed), (), 1, NOW)
    found = dump(ModelMirrorStatus(observed_generation=1, conditions=conditions))
    return cell(what, stored("ModelMirror", found), ready, meaning)


_SINCE: Final = datetime(2026, 9, 21, 14, 10, tzinfo=UTC)
_ANSWERS: Final = Found("gpu-0", "small", MirrorFacts(ranges=True, since=_SINCE))
_REFUSES: Final = Found(
    "gpu-0", "small", MirrorFacts(reason=reasons.UNAUTHORIZED, message="HTTP 401", since=_SINCE)
)

MIRRORS: Final = (
    unseen("ModelMirror"),
    _cell("can be read, and no pull from it fails", "True MirrorAccepted", DONE),
    _cell(
        "cannot be read with this version's rules",
        "False MirrorInvalid",
        STAYS,
        invalid="spec.url: missing",
    ),
    _cell("gave a node what it asked for", "True MirrorAnswers", DONE, probed=_ANSWERS),
    _cell(
        "is asked again, as a pull failed",
        "False MirrorDoubted",
        GOES_ON,
        probed=Unasked("node gpu-0 is to ask it a little", doubted=True),
    ),
    _cell("refuses the node that asks for all", "False Unauthorized", STAYS, probed=_REFUSES),
    _cell("does not answer a node that pulls", "False MirrorUnavailable", STAYS, _DOWN),
    _cell("sent other bytes than the approved ones", "False DigestMismatch", STAYS, _DOWN, _WRONG),
)
