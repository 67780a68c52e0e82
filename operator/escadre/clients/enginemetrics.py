"""Finds the needed numbers in the body of an engine's /metrics, in one pass over it.

clients/engine.py calls it for each engine every few seconds. A real body is 50 kB and the official
parser takes some 14 ms for it, so one expression finds the needed names and only their lines are
taken apart; tests hold it against that parser. What is missing or not a number is None, never
zero. Nothing is decided here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from escadre.core.profile import DEFAULT_PROFILE, QueueMetrics
from escadre.core.scaling.demand import Demand, Sums, Work

__all__ = ["scan"]

# What may follow a metric's name: labels with quoted, escaped values; a value; a timestamp.
_REST: Final = re.compile(
    rb"""[ \t]* ( \{ (?: [^"{}\n] | "(?:[^"\\\n]|\\.)*" )* \} )?
         [ \t]* (?<=[}\ \t]) ([^ \t\r\n]+) (?:[ \t]+-?[0-9.eE+-]+)? [ \t]*\r?\n""",
    re.VERBOSE,
)
_NUMBER: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# No value of another label holds these bytes: a quote in it is escaped, a backslash before it.
_CAPACITY: Final = re.compile(rb"""[{,][ \t]*reason[ \t]*=[ \t]*"capacity\"""")
_LARGEST: Final = 1 << 53  # from here on a float skips whole numbers


class _Found(NamedTuple):
    """The series of one name: their sum, None where one is no number; how many they are."""

    total: float | None
    series: int

    def plus(self, value: float | None) -> "_Found":
        """With one series more; None is no number."""
        if value is None or self.total is None:
            return _Found(None, self.series + 1)
        return _Found(self.total + value, self.series + 1)


_NONE: Final = _Found(0.0, 0)


@dataclass(slots=True)
class _Body:
    """What was found of the needed names, by name."""

    found: dict[bytes, _Found]

    def whole(self, *names: str) -> int | None:
        """The count under the first of the names that is there.

        A fraction counts as one more, not as none.
        """
        one = self._first(names)
        total = one.total if one else None
        return None if total is None else int(total) + (total != int(total))

    def share(self, names: Iterable[str]) -> float | None:
        """A number from 0 to 1: the mean of its series."""
        one = self._first(names)
        if one is None or one.total is None:
            return None
        mean = one.total / one.series
        return mean if mean <= 1 else None

    def sums(self, names: Iterable[str]) -> Sums | None:
        """Sum and count of a histogram, None while one of them is not known."""
        name = next((one for one in names if f"{one}_count".encode() in self.found), None)
        if name is None:
            return None
        seconds = self._first([f"{name}_sum"])
        count = self.whole(f"{name}_count")
        if seconds is None or seconds.total is None or count is None:
            return None
        return Sums(seconds.total, count)

    def _first(self, names: Iterable[str]) -> _Found | None:
        return next((self.found[key] for one in names if (key := one.encode()) in self.found), None)


def scan(body: bytes, queue: QueueMetrics = DEFAULT_PROFILE.queue) -> Demand:
    """The needed numbers of a body in the Prometheus text format, not dated yet.

    Each number is summed over all series of its name (label ``engine``: one per data-parallel
    rank); the share of the cache is their mean. One series that is no finite number makes that
    number unknown, and no other; so does a last line without line feed, which may be cut off.
    """
    there = _Body(_find(body, queue))
    reasons = there.found.get(queue.waiting_by_reason.encode())
    return Demand(
        there.whole(queue.running),
        there.whole(queue.waiting if reasons is None else queue.waiting_by_reason),
        cache_usage=there.share(queue.cache_usage),
        work=_work(there, queue),
        old_names=_old(there, queue),
    )


def _work(there: _Body, queue: QueueMetrics) -> Work | None:
    work = Work(
        prompt_tokens=there.whole(*queue.prompt_tokens),
        generation_tokens=there.whole(*queue.generation_tokens),
        answered=there.whole(*queue.answered),
        preemptions=there.whole(*queue.preemptions),
        prefill=there.sums(queue.prefill),
        prefilled_tokens=there.whole(*queue.prefilled_tokens),
        gaps=there.sums(queue.gaps),
    )
    return None if work == Work() else work


def _old(there: _Body, queue: QueueMetrics) -> tuple[str, ...]:
    """Names that were found and are not the ones that vLLM uses today."""
    return tuple(
        old
        for today, *before in _series(queue)
        if today.encode() not in there.found
        for old in before
        if old.encode() in there.found
    )


def _find(body: bytes, queue: QueueMetrics) -> dict[bytes, _Found]:
    by_reason = queue.waiting_by_reason.encode()
    found: dict[bytes, _Found] = {}
    for match in _names(queue).finditer(body):
        start, end = match.span()
        if not _begins_line(body, start):
            continue  # inside a comment or a label's value
        name, rest = match[0], _REST.match(body, end)
        if name == by_reason and not (rest and rest[1] and _CAPACITY.search(rest[1])):
            continue  # waits for what another replica would not have either
        found[name] = found.get(name, _NONE).plus(_value(rest[2]) if rest else None)
    return found


def _begins_line(body: bytes, start: int) -> bool:
    before = body[body.rfind(b"\n", 0, start) + 1 : start]
    return not before.strip(b" \t")


def _value(text: bytes) -> float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if 0 <= value < _LARGEST else None


@lru_cache(maxsize=8)
def _names(queue: QueueMetrics) -> re.Pattern[bytes]:
    """Any of the needed names, and no longer one that begins with it.

    What they all begin with is found at the speed of memory, which is what makes this cheap.
    """
    names = {queue.running, queue.waiting, queue.waiting_by_reason}
    names.update(name for group in _series(queue) for name in group)
    any_of = b"|".join(re.escape(name.encode()) for name in sorted(names, reverse=True))
    return re.compile(rb"(?:" + any_of + rb")(?=[{ \t])")


@lru_cache(maxsize=8)
def _series(queue: QueueMetrics) -> tuple[tuple[str, ...], ...]:
    """The names of each number as its series are called: today's, then earlier ones."""
    histograms = [
        tuple(f"{name}{end}" for name in names)
        for names in (queue.prefill, queue.gaps)
        for end in ("_sum", "_count")
    ]
    return (
        queue.cache_usage,
        queue.prompt_tokens,
        queue.generation_tokens,
        queue.answered,
        queue.preemptions,
        queue.prefilled_tokens,
        *histograms,
    )
