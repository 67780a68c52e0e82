"""How fast a replica really is, learned from what its engine counts while nothing waits there.

What is learned are corrections of the prior, one for the prefill and one for each term of a decode
step. Between two readings of an engine

    running   the seconds of its gaps over the time between: so many gaps were open on average
    step      the mean gap, less the share of the time that went into prompts
    prompt    the mean prefill time over 1 + the square of the prefills that were open, less a step

and the deviation of a step from the prior's is a sum of the corrections, each by the part that its
term has in the step. They are found by least squares against the prior (a ridge): a direction that
the load never takes keeps the prior, older readings count less. Corrections stay within half and
double. They steer the number of replicas and nothing else. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.scaling.flow import Last
from escadre.core.scaling.service import Prior

__all__ = ["AS_PRIOR", "Factors", "Learned", "clamped", "learn"]

_KEPT: Final = 0.999  # of the weight of what was seen before, for each reading
# How sure the prior is: the error of one reading over that of a term, both relative, squared.
_PRIOR: Final = (0.1 / 0.3) ** 2
_PRIOR_PROMPTS: Final = 10.0  # as many prompts as the prior of the prefill counts for
_LEAST, _MOST = 0.5, 2.0
_SETTLED_SECONDS: Final = 60.0  # an engine that is new compiles and captures at first
_FEWEST_GAPS: Final = 20
_FEWEST_RUNNING: Final = 2.0  # below, nobody may have decoded while prompts were read
_MOST_BUSY: Final = 0.3  # of the time with prompts: beyond, little is left to see of the steps
_MOST_PREFILLS: Final = 0.5  # open at a time: beyond, prompts wait for each other
_TELL_SECONDS: Final = 600.0
_TELL_SHARE: Final = 0.1

_Row = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Factors:
    """What the prior's times are multiplied by."""

    prompt: float = 1.0
    fixed: float = 1.0
    per_running: float = 1.0
    per_cached_token: float = 1.0

    @property
    def each(self) -> tuple[float, float, float, float]:
        """All four, in their order; ``dataclasses.astuple`` takes twenty times as long."""
        return self.prompt, self.fixed, self.per_running, self.per_cached_token

    def of(self, speed: Speed) -> Speed:
        """The speed so corrected."""
        return Speed(speed.prefill_tokens_per_second / self.prompt, self.of_step(speed.decode))

    def of_step(self, step: DecodeStep) -> DecodeStep:
        """The decode step so corrected."""
        return DecodeStep(
            step.fixed * self.fixed,
            step.per_running * self.per_running,
            step.per_cached_token * self.per_cached_token,
        )

    def far_from(self, other: "Factors") -> bool:
        """Whether one moved by more than a tenth."""
        pairs = zip(self.each, other.each, strict=True)
        return any(abs(one / two - 1) > _TELL_SHARE for one, two in pairs)


AS_PRIOR: Final = Factors()


@dataclass(frozen=True, slots=True)
class Learned:
    """What was seen of replicas of one kind, ``key``.

    ``told`` are the factors that decisions use: they follow ``factors`` where these moved by more
    than a tenth, and once in ten minutes at most. ``steps`` and ``deviation`` are the sums of the
    least squares, ``prompts`` and ``longer`` those of the prefill. ``begun`` is what holds where
    these say nothing: the prior's times, or those that another leader had learned.
    """

    key: str
    told: Factors = AS_PRIOR
    told_at: float | None = None
    steps: tuple[_Row, _Row, _Row] = ((0.0,) * 3, (0.0,) * 3, (0.0,) * 3)
    deviation: _Row = (0.0, 0.0, 0.0)
    prompts: float = 0.0
    longer: float = 0.0
    begun: Factors = AS_PRIOR

    @property
    def factors(self) -> Factors:
        """By all that was seen."""
        (a, b, c), (d, e, f), (g, h, i) = self.steps
        off, begun = self.deviation, self.begun
        fixed, running, cached = _solved(
            ((a + _PRIOR, b, c), (d, e + _PRIOR, f), (g, h, i + _PRIOR)),
            (
                off[0] + _PRIOR * (begun.fixed - 1),
                off[1] + _PRIOR * (begun.per_running - 1),
                off[2] + _PRIOR * (begun.per_cached_token - 1),
            ),
        )
        return Factors(
            self.prompt_factor, clamped(1 + fixed), clamped(1 + running), clamped(1 + cached)
        )

    @property
    def prompt_factor(self) -> float:
        """That of prompts alone, which asks for no system of equations."""
        longer = self.longer + _PRIOR_PROMPTS * (self.begun.prompt - 1)
        return clamped(1 + longer / (self.prompts + _PRIOR_PROMPTS))

    # For each engine at each look: `replace` takes thrice as long.
    def with_steps(self, steps: tuple[_Row, _Row, _Row], deviation: _Row) -> "Learned":
        """With other sums of the least squares."""
        prompts, longer = self.prompts, self.longer
        return Learned(
            self.key, self.told, self.told_at, steps, deviation, prompts, longer, self.begun
        )

    def with_prompts(self, prompts: float, longer: float) -> "Learned":
        """With other sums of the prefill."""
        steps, deviation = self.steps, self.deviation
        return Learned(
            self.key, self.told, self.told_at, steps, deviation, prompts, longer, self.begun
        )


class _Interval(NamedTuple):
    """What an engine did between two readings."""

    seconds: float
    gap_seconds: float
    gaps: int
    prefill_seconds: float
    prefills: int
    prefilled: int
    read: int
    cached: float

    @property
    def running(self) -> float:
        """Requests that gave tokens, on average."""
        return self.gap_seconds / self.seconds


def learn(
    learned: Learned, before: Sequence[Last], after: Sequence[Last], prior: Prior, now: float
) -> Learned:
    """With what the engines did since the reading before."""
    known = {one.slot: one for one in before}
    for one in after:
        interval = _interval(known.get(one.slot), one, prior)
        if interval is not None:
            learned = _with_prompts(_with_steps(learned, interval, prior), interval, prior)
    if learned.told_at is not None and now - learned.told_at < _TELL_SECONDS:
        return learned
    found = learned.factors
    return replace(learned, told=found, told_at=now) if found.far_from(learned.told) else learned


def _interval(before: Last | None, after: Last, prior: Prior) -> _Interval | None:
    """None where something waited, the engine is new or another, or a number is not told."""
    if before is None or before.waiting or after.waiting or after.at <= before.at:
        return None
    if before.at - before.since < _SETTLED_SECONDS:
        return None
    old, new = before.work, after.work
    if old.gaps is None or new.gaps is None or old.prefill is None or new.prefill is None:
        return None
    interval = _Interval(
        seconds=after.at - before.at,
        gap_seconds=new.gaps.seconds - old.gaps.seconds,
        gaps=new.gaps.count - old.gaps.count,
        prefill_seconds=new.prefill.seconds - old.prefill.seconds,
        prefills=new.prefill.count - old.prefill.count,
        prefilled=(new.prefilled_tokens or 0) - (old.prefilled_tokens or 0),
        read=(new.prompt_tokens or 0) - (old.prompt_tokens or 0),
        cached=prior.cache_tokens * ((before.cache_usage or 0) + (after.cache_usage or 0)) / 2,
    )
    whole = min(interval.gaps, interval.prefills, interval.prefilled, interval.read) >= 0
    return interval if whole else None


def _with_steps(learned: Learned, interval: _Interval, prior: Prior) -> Learned:
    running = interval.running
    if interval.gaps < _FEWEST_GAPS or running < _FEWEST_RUNNING:
        return learned
    prefill = prior.speed.prefill_tokens_per_second / learned.prompt_factor
    busy = interval.read / prefill / interval.seconds
    if busy > _MOST_BUSY:
        return learned
    step = interval.gap_seconds / interval.gaps * (1 - busy)
    terms = _terms(prior.speed.decode, running, interval.cached)
    expected = sum(terms)
    parts = (terms[0] / expected, terms[1] / expected, terms[2] / expected)
    off = clamped(step / expected) - 1
    first, second, third = learned.steps
    return learned.with_steps(
        (
            _added(first, parts, parts[0]),
            _added(second, parts, parts[1]),
            _added(third, parts, parts[2]),
        ),
        _added(learned.deviation, parts, off),
    )


def _added(row: _Row, more: _Row, times: float) -> _Row:
    """What there was, a little less, and so many times as much."""
    return (
        _KEPT * row[0] + times * more[0],
        _KEPT * row[1] + times * more[1],
        _KEPT * row[2] + times * more[2],
    )


def _terms(step: DecodeStep, running: float, cached: float) -> _Row:
    return step.fixed, step.per_running * running, step.per_cached_token * cached


def _with_prompts(learned: Learned, interval: _Interval, prior: Prior) -> Learned:
    """Where few prompts were read at a time and each took longer than a step that reads weights."""
    opened = interval.prefill_seconds / interval.seconds
    if not interval.prefills or not interval.prefilled or opened > _MOST_PREFILLS:
        return learned
    mean = interval.prefilled / interval.prefills
    expected = mean / prior.speed.prefill_tokens_per_second
    if expected < prior.speed.decode.fixed:
        return learned
    decode = learned.factors.of_step(prior.speed.decode)
    beside = min(1.0, interval.running) * sum(_terms(decode, interval.running, interval.cached))
    # Prompts that come during a step are read together in the next: each takes as long as all.
    took = interval.prefill_seconds / interval.prefills / (1 + opened**2) - beside
    off = clamped(took / expected) - 1
    count = min(interval.prefills, 10)
    kept = _KEPT**count
    return learned.with_prompts(kept * learned.prompts + count, kept * learned.longer + count * off)


def _solved(rows: tuple[_Row, _Row, _Row], right: Sequence[float]) -> _Row:
    """By Cramer's rule; the ridge keeps the determinant above zero."""
    (a, b, c), (d, e, f), (g, h, i) = rows
    p, q, r = right
    whole = _determinant((a, b, c), (d, e, f), (g, h, i))
    return (
        _determinant((p, b, c), (q, e, f), (r, h, i)) / whole,
        _determinant((a, p, c), (d, q, f), (g, r, i)) / whole,
        _determinant((a, b, p), (d, e, q), (g, h, r)) / whole,
    )


def _determinant(first: _Row, second: _Row, third: _Row) -> float:
    (a, b, c), (d, e, f), (g, h, i) = first, second, third
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def clamped(factor: float) -> float:
    """Within half and double."""
    return max(_LEAST, min(factor, _MOST))
