"""Why no layout holds a wish: what it needs, the most that one node has, and what to change.

core/layouts/search.py asks it with the closest candidate of each product. Every number is of one
layout, which is named: several with the same GPUs hold more or less than it. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from escadre import reasons
from escadre.api.deployment import RejectedLayout
from escadre.core.engines.shape import shape_of
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import Candidate, memory_words
from escadre.core.layouts.trial import Trial

__all__ = ["closeness", "explain", "within_reach"]

_LARGER: Final = 2
_PRODUCTS: Final = 2


def closeness(one: Candidate) -> tuple[int, int]:
    """The more cache the closer, on fewer GPUs first; without any, the more GPUs the closer."""
    blocks = one.fill.blocks
    return blocks, -one.shape.gpus if blocks else one.shape.gpus


def explain(trial: Trial, close: Sequence[Candidate], refused: Sequence[RejectedLayout]) -> str:
    """A sentence for whoever wished; ``close`` are refused for their memory alone."""
    larger = [one for one in refused if one.reason == reasons.NODE_TOO_SMALL]
    parts = [_short(trial, close) or _barred([one for one in refused if one not in larger])]
    parts += [
        f"{shape_of(one).gpus}×{one.product} on one node would hold it, none has so many"
        for one in larger[:_LARGER]
    ]
    return "; ".join(part for part in parts if part)


def _short(trial: Trial, close: Sequence[Candidate]) -> str:
    """What is needed and what the best has, "" where nothing was refused for its memory."""
    best = max(close, key=lambda one: (*closeness(one), one.product.name), default=None)
    if best is None:
        return ""
    where = f"{best.shape.gpus}×{best.product.name} {best.shape.words}"
    if not best.fill.blocks:
        return f"no node holds the weights: on {where} {memory_words(best.fill)}"
    need, groups = trial.need, best.fill.groups
    needed = need.blocks(need.concurrency or 1, groups) * BLOCK_TOKENS
    words = (
        f"no node holds the cache: {need.words(groups)} {needed:,} tokens, and the most is "
        f"{best.fill.blocks * BLOCK_TOKENS:,}, on {where}"
    )
    offer = _offer(trial.wish, within_reach(trial, best))
    shorter = _shorter(trial, best)
    offers = [one for one in (offer, f"typicalTokens {shorter:,}" if shorter else "") if one]
    return f"{words}, enough for {', or for '.join(offers)}" if offers else words


def within_reach(trial: Trial, best: Candidate) -> Wish:
    """The wish with what is too large in it lowered to what ``best`` holds.

    A contextLength of 0: not even one token.
    """
    need, fill = trial.need, best.fill
    context = fill.groups.longest(fill.blocks, need.context)
    typical = min(need.typical, context)
    lowered = replace(trial.wish, context_length=context)
    if trial.wish.typical_tokens is not None:
        lowered = replace(lowered, typical_tokens=typical)
    if need.concurrency is not None and typical:
        requests = min(need.concurrency, fill.blocks // fill.groups.blocks_for(typical))
        lowered = replace(lowered, concurrency=requests)
    return lowered


def _shorter(trial: Trial, best: Candidate) -> int:
    """How short typical requests would have to be, 0 where that alone would not do."""
    need, fill = trial.need, best.fill
    if need.concurrency is None or fill.groups.blocks_for(need.context) > fill.blocks:
        return 0
    return fill.groups.longest(fill.blocks // need.concurrency, need.typical)


def _offer(wish: Wish, lowered: Wish) -> str:
    """The fields that were lowered, "" where that leaves nothing to serve."""
    if not lowered.context_length:
        return ""
    fields = (
        ("contextLength", wish.context_length, lowered.context_length),
        ("typicalTokens", wish.typical_tokens, lowered.typical_tokens),
        ("concurrency", wish.concurrency, lowered.concurrency),
    )
    return " and ".join(
        f"{name} {now:,}" for name, before, now in fields if now is not None and now != before
    )


def _barred(refused: Sequence[RejectedLayout]) -> str:
    """What stands against the last shapes, where no more memory would help."""
    return "; ".join(f"{one.product}: {one.message}" for one in refused[-_PRODUCTS:])
