"""What answers the Service now: how many replicas of which model, whatever the spec asks for.

The spec may name what may not run, or cannot; what serves goes on, and is told from the records
of the replicas that serve, never from the wish. Pure.
"""

from collections import Counter
from typing import Final

from escadre import reasons
from escadre.api.serving import ServedModel, ServingStatus
from escadre.core.listing import listed
from escadre.core.status.conditions import Leaf, false, true
from escadre.core.status.facts import StatusFacts, answering, count_of, share_of
from escadre.names import ConditionType
from escadre.reasons.said import Said, joined, plain, say

__all__ = ["available_leaf", "serving_of"]

_MODELS: Final = 3


def serving_of(facts: StatusFacts) -> ServingStatus | None:
    """The models that answer, the one with most replicas first; None when nothing does."""
    counted = Counter(one.made_of for one in answering(facts) if one.made_of is not None)
    if not counted:
        return None
    models = [
        ServedModel(
            repository=made.repository,
            manifest_digest=made.manifest_digest,
            approval=made.approval or None,
            revision=made.revision or None,
            max_model_len=made.max_model_len,
            layout=made.layout,
            replicas=number,
        )
        for made, number in sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    ]
    names = sorted({one.repository for one in models})
    return ServingStatus(summary=listed(names, _MODELS), models=models)


def available_leaf(facts: StatusFacts, serving: ServingStatus | None) -> Leaf:
    """Whether, how much and which model; ``serving`` is what `serving_of` found."""
    need = max(facts.min_replicas, 1)
    number = len(answering(facts))
    if facts.unreachable and facts.problem is not None:
        words = say("{ready} ready, and no Service leads there", ready=count_of(number))
        return false(ConditionType.AVAILABLE, reasons.UNAVAILABLE, words)
    if not number:
        none = say("{none} answer", none=share_of(0, need))
        return false(ConditionType.AVAILABLE, reasons.UNAVAILABLE, none)
    reason = reasons.AVAILABLE if number >= need else reasons.DEGRADED
    words = _counted(facts, number, need)
    return true(ConditionType.AVAILABLE, reason, joined(": ", [words, *_which(serving)]))


def _counted(facts: StatusFacts, number: int, need: int) -> Said:
    if facts.unread:  # how many are needed is not known
        return say("{number} answer", number=count_of(number))
    if number > need:
        return say("{number} answer, {need} needed", number=count_of(number), need=need)
    return say("{number} answer", number=share_of(number, need))


def _which(serving: ServingStatus | None) -> list[Said]:
    if serving is None:
        return []
    return [plain(listed([_words(one) for one in serving.models], _MODELS))]


def _words(one: ServedModel) -> str:
    length = f", up to {one.max_model_len:,} tokens" if one.max_model_len else ""
    approval = f" (ModelApproval {one.approval})" if one.approval else ""
    return f"{one.repository}{approval}{length}"
