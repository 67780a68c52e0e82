"""What arrives: requests per second and their tokens, from one look at the engines to the next.

What an engine has answered and what it holds now, less what it held before, arrived meanwhile. A
counter that went down is that of another engine: nothing is taken over it. An engine that tells no
counters makes the rate unknown, not zero. Pure; core/scaling/policy.py keeps the `Flow`. What is
made for each engine at each look is a named tuple: a frozen dataclass takes four times as long.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from escadre.core.scaling.capacity import Mix
from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.past import NOTHING, Open, Past
from escadre.core.scaling.sharing import BY_CHANCE, Sharing

__all__ = ["Average", "Flow", "Last", "Tokens", "follow"]

# A mix of chat, as ten requests of it, until there are others: means of the Azure 2023
# conversation trace.
_FIRST_PROMPT: Final = 1155.0
_FIRST_ANSWER: Final = 211.0
_FIRST_REQUESTS: Final = 10.0
_MIX_SECONDS: Final = 900.0
_LONGEST_GAP: Final = 60.0  # seconds between two readings that belong together


class Tokens(NamedTuple):
    """Sums over requests; older ones count less.

    A prompt counts when it was read, an answer token by token, so what runs counts as ``begun``,
    and by half as ``ended``.
    """

    prompt: float = _FIRST_PROMPT * _FIRST_REQUESTS
    begun: float = _FIRST_REQUESTS
    answer: float = _FIRST_ANSWER * _FIRST_REQUESTS
    ended: float = _FIRST_REQUESTS

    @property
    def mix(self) -> Mix:
        """The mean request."""
        prompt = self.prompt / max(self.begun, 1e-9)
        return Mix(max(1.0, prompt), max(1.0, self.answer / max(self.ended, 1e-9)))

    def faded(self, kept: float) -> "Tokens":
        """With only a share of their weight."""
        return Tokens(self.prompt * kept, self.begun * kept, self.answer * kept, self.ended * kept)

    def plus(self, other: "Tokens") -> "Tokens":
        """Both together; what runs may have been begun before, so no sum goes below zero."""
        return Tokens(
            max(0.0, self.prompt + other.prompt),
            max(0.0, self.begun + other.begun),
            max(0.0, self.answer + other.answer),
            max(0.0, self.ended + other.ended),
        )


_CHAT: Final = Tokens()
_NO_TOKENS: Final = Tokens(0.0, 0.0, 0.0, 0.0)


class Average(NamedTuple):
    """An exponential mean over time, right from its beginning on.

    Args:
        seconds: its time constant.
    """

    seconds: float
    amount: float = 0.0
    time: float = 0.0

    def after(self, amount: float, elapsed: float) -> "Average":
        """With so much more in so many seconds."""
        kept = math.exp(-elapsed / self.seconds)
        return Average(self.seconds, self.amount * kept + amount, self.time * kept + elapsed)

    @property
    def rate(self) -> float:
        """Per second."""
        return self.amount / self.time if self.time else 0.0


class Last(NamedTuple):
    """What was read of a replica last, ``at``; ``since`` when its engine was read first."""

    slot: int
    running: int
    waiting: int
    work: Work
    at: float
    since: float
    cache_usage: float | None

    @property
    def requests(self) -> int:
        """Both."""
        return self.running + self.waiting


@dataclass(frozen=True, slots=True)
class Flow:
    """What arrived so far, by readings of which the newest is of ``at``.

    ``open`` is the piece of the past that is not full yet, ``kept`` the replicas that the past says
    are to be kept for bursts.
    """

    near: Average
    wide: Average
    far: Average
    past: Past
    at: float | None = None
    known: bool = False
    tokens: Tokens = _CHAT
    last: tuple[Last, ...] = ()
    open: Open = NOTHING
    kept: int = 0
    sharing: Sharing = BY_CHANCE

    def over(self, wide: float, far: float) -> "Flow":
        """The same with means over so many seconds, as a load takes another time than before."""
        if (wide, far) == (self.wide.seconds, self.far.seconds):
            return self
        middle, before = self.wide._replace(seconds=wide), self.far._replace(seconds=far)
        return replace(self, wide=middle, far=before)


def follow(flow: Flow, readings: Iterable[tuple[int, Demand]]) -> Flow:
    """After a look: ``readings`` are by slot, those that are fresh.

    Time goes on from one reading to the next, not from look to look: what arrived in 15 s is no
    more for being seen in one look of 3.
    """
    before = {one.slot: one for one in flow.last}
    arrived, tokens, found, known = 0.0, flow.tokens, list[Last](), True
    for slot, demand in readings:
        old = before.get(slot)
        last = _last(old, slot, demand)
        if last is None:
            known = False
            continue
        found.append(last)
        come, more = _between(old, last)
        arrived += come
        if more is not _NO_TOKENS:
            tokens = tokens.plus(more)
    at = max([one.at for one in found], default=flow.at)
    elapsed = at - flow.at if at is not None and flow.at is not None else 0.0
    known = known and bool(found)
    tokens = tokens.faded(math.exp(-max(0.0, elapsed) / _MIX_SECONDS))
    seen = tuple(found) or flow.last
    if not 0 < elapsed <= _LONGEST_GAP:
        return replace(flow, at=at, known=known, tokens=tokens, last=seen)
    return Flow(  # all of it is another: `replace` would take twice as long
        near=flow.near.after(arrived, elapsed),
        wide=flow.wide.after(arrived, elapsed),
        far=flow.far.after(arrived, elapsed),
        past=flow.past,
        at=at,
        known=known,
        tokens=tokens,
        last=seen,
        open=flow.open.after(arrived, elapsed, flow.past.short),
        kept=flow.kept,
        sharing=flow.sharing.after([one.requests for one in found], elapsed),
    )


def _last(before: Last | None, slot: int, demand: Demand) -> Last | None:
    work, at = demand.work, demand.at or 0.0
    if demand.running is None or demand.waiting is None or work is None or work.answered is None:
        return None
    same = before is not None and (before.work.answered or 0) <= work.answered
    return Last(
        slot,
        demand.running,
        demand.waiting,
        work,
        at,
        before.since if before is not None and same else at,
        demand.cache_usage,
    )


def _between(before: Last | None, last: Last) -> tuple[float, Tokens]:
    """Arrivals, and tokens that were read and given; of an engine seen first nothing is known."""
    if before is None:
        return 0.0, _NO_TOKENS
    answered = _more(before.work.answered, last.work.answered)
    if answered is None:
        return 0.0, _NO_TOKENS
    arrived = max(0.0, float(answered + last.requests - before.requests))
    prompt = _more(before.work.prompt_tokens, last.work.prompt_tokens)
    answer = _more(before.work.generation_tokens, last.work.generation_tokens)
    if prompt is None or answer is None:
        return arrived, _NO_TOKENS
    runs = last.running - before.running
    return arrived, Tokens(prompt, answered + runs, answer, answered + runs / 2)


def _more(before: int | None, after: int | None) -> int | None:
    if before is None or after is None or after < before:
        return None
    return after - before
