"""Finds the needed numbers in the body of an engine's /metrics, in one pass over it.

clients/engine.py calls it for each engine every few seconds. A real body is 50 kB and the official
parser takes some 14 ms for it, so one expression finds the needed lines and takes them apart; tests
hold it against that parser. What is missing or not a number is None, never
zero. Nothing is decided here.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from escadre.core.profile import DEFAULT_PROFILE, QueueMetrics
from escadre.core.scaling.demand import NO_WORK, Demand, Sums, Work

__all__ = ["scan"]

# What may follow a metric's name: labels with quoted, escaped values; a value; a timestamp. Nothing
# that matched is tried otherwise: so a line of any length is read once, whatever stands in it.
_REST: Final = rb"""[ \t]*+ ( \{ (?: [^"{}\n]++ | "(?:[^"\\\n]++|\\.)*+" )*+ \} )?
    [ \t]*+ (?<=[}\ \t]) ([^ \t\r\n]++) (?:[ \t]++-?[0-9.eE+-]++)? [ \t]*+\r?(?=\n)"""
# No value of another label holds these bytes: a quote in it is escaped, a backslash before it.
_CAPACITY: Final = re.compile(rb"""[{,][ \t]*reason[ \t]*=[ \t]*"capacity\"""")
_LARGEST: Final = 1 << 53  # from here on a float skips whole numbers


@dataclass(slots=True)
class _Body:
    """What was found of the needed names: the sum of each's series, None where one is no number."""

    totals: dict[bytes, float | None] = field(default_factory=dict)
    series: dict[bytes, int] = field(default_factory=dict)

    def add(self, name: bytes, value: float | None) -> None:
        """One series more."""
        total = self.totals.get(name, 0.0)
        self.totals[name] = None if total is None or value is None else total + value
        self.series[name] = self.series.get(name, 0) + 1

    def whole(self, *names: str) -> int | None:
        """The count under the first of the names that is there.

        A fraction counts as one more, not as none.
        """
        total = self.totals.get(self._first(names))
        return None if total is None else int(total) + (total != int(total))

    def share(self, names: Iterable[str]) -> float | None:
        """A number from 0 to 1: the mean of its series."""
        name = self._first(names)
        total = self.totals.get(name)
        mean = None if total is None else total / self.series[name]
        return mean if mean is None or mean <= 1 else None

    def sums(self, names: Iterable[str]) -> Sums | None:
        """Sum and count of a histogram, None while one of them is not known."""
        name = next((one for one in names if f"{one}_count".encode() in self.totals), "")
        seconds, count = self.totals.get(f"{name}_sum".encode()), self.whole(f"{name}_count")
        return None if seconds is None or count is None else Sums(seconds, count)

    def _first(self, names: Iterable[str]) -> bytes:
        return next((key for one in names if (key := one.encode()) in self.totals), b"")


def scan(body: bytes, queue: QueueMetrics = DEFAULT_PROFILE.queue) -> Demand:
    """The needed numbers of a body in the Prometheus text format, not dated yet.

    Each number is summed over all series of its name (label ``engine``: one per data-parallel
    rank); the share of the cache is their mean. One series that is no finite number makes that
    number unknown, and no other; so does a last line without line feed, which may be cut off.
    """
    there = _find(body, queue)
    reasons = queue.waiting_by_reason.encode() in there.totals
    return Demand(
        there.whole(queue.running),
        there.whole(queue.waiting_by_reason if reasons else queue.waiting),
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
    return None if work == NO_WORK else work


def _old(there: _Body, queue: QueueMetrics) -> tuple[str, ...]:
    """Names that were found and are not the ones that vLLM uses today."""
    return tuple(
        old
        for today, *before in _series(queue)
        if today.encode() not in there.totals
        for old in before
        if old.encode() in there.totals
    )


def _find(body: bytes, queue: QueueMetrics) -> _Body:
    by_reason = queue.waiting_by_reason.encode()
    there = _Body()
    for name, labels, value in _lines(queue).findall(b"\n" + body):
        if name == by_reason and not _CAPACITY.search(labels):
            continue  # waits for what another replica would not have either
        there.add(name, _value(value))
    return there


def _value(text: bytes) -> float | None:
    """None for what is no number, as is the nothing of a line that cannot be taken apart."""
    try:
        value = float(text)
    except ValueError:
        return None
    # Python reads an underscore between digits, too; NaN is in no range.
    return value if 0 <= value < _LARGEST and b"_" not in text else None


@lru_cache(maxsize=8)
def _lines(queue: QueueMetrics) -> re.Pattern[bytes]:
    """A line, from the line feed before it, of any of the needed names and of no longer one.

    Its groups are the name, the labels and the value; the last two are empty where the rest of the
    line is not as it should be. Comments and the values of labels are no lines.
    """
    names = {queue.running, queue.waiting, queue.waiting_by_reason}
    names.update(name for group in _series(queue) for name in group)
    any_of = b"|".join(re.escape(name.encode()) for name in sorted(names, reverse=True))
    line = rb"\n[ \t]*+ (" + any_of + rb") (?=[{ \t]) (?:" + _REST + rb")?"
    return re.compile(line, re.VERBOSE)


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
