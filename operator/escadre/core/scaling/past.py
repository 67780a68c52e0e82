"""What arrived in the last hour, piece by piece, and what following it would have missed. Pure.

Demand is followed a load late. What comes in bursts shorter than a load is over by then, so only
what was there before serves it. How much that has to be is read from the past: each piece of it is
held against what was asked for a load earlier, and `missed` is the least number of replicas that,
kept beside those that follow, would have served the level's share of all requests. Pieces that
were followed are within the level as it is; what counts is what following missed. For traffic
that can be followed it is 0, and so it is for what came once; for bursts that come again and again
it is what they need. So nobody has to find a minReplicas by trying.

Of the requests that come at the capacity the level's share is late by the capacity's definition,
of those at half of it far fewer: (1 - share) × (rate / capacity)^4, which was fitted to replicas
played at even rates (code, 0.45 to 1.35 of the capacity). What chance alone brings together is in
the capacity too, so of a number of requests only what is beyond it counts as a burst. Chance is no
less where fewer are to be in time. The capacity is that of a replica alone, also where several
share well: a burst is over before that helps.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from escadre.core.scaling.capacity import deviations

__all__ = ["NOTHING", "Open", "Past", "late", "missed"]

_REMEMBERED: Final = 3600.0  # seconds
_STEEP: Final = 4
# Of what may be late, for the next hour is not the last one; on the log of code (docs/use/
# scaling-compared.md), half of it to tune on, more of it kept less than the level.
_AIM: Final = 0.25
_APART: Final = 300.0  # seconds beyond a load's time: what is missed then is another burst
_CHANCE: Final = 0.95  # of the short times have no more by chance
_LEAST: Final = 1e-3  # requests per second
_MOST: Final = 2**32 - 1  # requests that are counted of a piece


class Open(NamedTuple):
    """The piece that is not full yet: requests, seconds, and the most in a short time of it.

    ``short`` and ``short_seconds`` are of the short time that is not full yet.
    """

    requests: float = 0.0
    seconds: float = 0.0
    short: float = 0.0
    short_seconds: float = 0.0
    most: float = 0.0

    def after(self, requests: float, seconds: float, length: float) -> "Open":
        """With so many more in so many seconds; ``length`` is that of a short time."""
        short, time, most = self.short + requests, self.short_seconds + seconds, self.most
        if time >= length - 1e-6:
            short, time, most = 0.0, 0.0, max(most, short * length / time)
        return Open(self.requests + requests, self.seconds + seconds, short, time, most)

    @property
    def next(self) -> "Open":
        """The one after it; a short time that has begun goes on there."""
        return Open(short=self.short, short_seconds=self.short_seconds)


NOTHING: Final = Open()


def _counts(numbers: Iterable[int] = ()) -> "array[int]":
    return array("I", [min(one, _MOST) for one in numbers])


@dataclass(frozen=True, slots=True)
class Past:
    """Pieces of ``width`` seconds, oldest first. One is held for each deployment.

    Arrays, which nobody changes: as tuples of numbers they took three times as much.

    Args:
        short: seconds over which a burst is measured; one that is shorter is worked off in time.
        requests: that came in each.
        most: of them within a short time.
        asked: requests per second that following asked for at its end.
    """

    width: float
    short: float
    requests: "array[int]" = field(default_factory=_counts)
    most: "array[int]" = field(default_factory=_counts)
    asked: "array[float]" = field(default_factory=lambda: array("d"))

    def of(self, width: float, short: float) -> "Past":
        """The same rates in pieces of another length, for another level."""
        if (width, short) == (self.width, self.short):
            return self
        longer, more = width / self.width, short / self.short
        return replace(
            self,
            width=width,
            short=short,
            requests=_counts(round(one * longer) for one in self.requests),
            most=_counts(round(one * more) for one in self.most),
        )

    @property
    def whole(self) -> bool:
        """Whether it goes back as far as anything is remembered."""
        return len(self.requests) >= round(_REMEMBERED / self.width)

    def full(self, piece: Open) -> bool:
        """Whether it is as long as one."""
        return piece.seconds >= self.width - 1e-6

    def after(self, piece: Open, asked: float) -> "Past":
        """With one that is full; the oldest go after an hour."""
        kept = round(_REMEMBERED / self.width) - 1
        requests = round(piece.requests * self.width / piece.seconds)
        quiet = not requests and asked < _LEAST
        return replace(
            self,
            requests=self.requests[-kept:] + _counts([requests]),
            most=self.most[-kept:] + _counts([round(piece.most)]),
            asked=self.asked[-kept:] + array("d", [0.0 if quiet else asked]),
        )

    def usual(self, share: float, window: float) -> float:
        """The rate at or below which ``share`` of the requests of the window came, by no chance."""
        recent = self.requests[-round(window / self.width) :]
        left = (1 - share) * sum(recent)
        for one in sorted(recent, reverse=True):
            left -= one
            if left < 0:
                return _beyond_chance(one, _chance(share)) / self.width
        return 0.0


class _Piece(NamedTuple):
    """Which of the past, its requests, their rate at its most, the replicas that had followed."""

    place: int
    requests: int
    rate: float
    followed: int


def late(load: float, share: float) -> float:
    """The share of requests that is late at a load, in a capacity for ``share`` of them."""
    return min(1.0, (1 - share) * load**_STEEP)


def missed(past: Past, capacity: float, share: float, load: float, most: int) -> int:
    """Replicas, ``most`` at most, that would have kept the level beside what follows.

    Args:
        past: what is known of it; as long as the first load would have taken nothing is missed.
        capacity: requests per second of one replica.
        share: of the requests that are to be served within the level.
        load: seconds that a replica takes to be ready.
        most: the number beyond which there is no more.
    """
    back = 1 + math.ceil(load / past.width)
    busiest = max(past.most[back:], default=0)
    if _beyond_chance(busiest, _chance(share)) / past.short <= capacity:
        return 0  # one replica was enough at any time, and no piece has to be looked at
    pieces = _pieces(past, capacity, share, back)
    over = [one for one in pieces if one.rate > capacity * max(one.followed, 1)]
    if not over or (over[-1].place - over[0].place) * past.width <= load + _APART:
        return 0
    allowed = _AIM * (1 - share) * sum(one.requests for one in pieces)
    least, enough = 0, most
    while least < enough:
        middle = (least + enough) // 2
        if _late(over, capacity, share, middle) <= allowed:
            enough = middle
        else:
            least = middle + 1
    return enough


def _pieces(past: Past, capacity: float, share: float, back: int) -> Sequence[_Piece]:
    """Those with requests whose replicas could have been asked for so many pieces ``back``."""
    z, short = _chance(share), past.short
    whole = zip(past.requests[back:], past.most[back:], past.asked, strict=False)
    return [
        _Piece(place, requests, _beyond_chance(most, z) / short, math.ceil(asked / capacity))
        for place, (requests, most, asked) in enumerate(whole)
        if requests
    ]


def _late(pieces: Sequence[_Piece], capacity: float, share: float, kept: int) -> float:
    return sum(
        one.requests * late(one.rate / (capacity * max(kept, one.followed, 1)), share)
        for one in pieces
    )


def _chance(share: float) -> float:
    """How many deviations above the mean chance alone brings."""
    return deviations(max(share, _CHANCE))


def _beyond_chance(requests: int, z: float) -> float:
    """The mean of which so many are seen ``z`` deviations above it; of more it is no less."""
    return max(0.0, requests - z * math.sqrt(requests))
