"""What a wish says of the number of its replicas, and whether its layout can keep its level. Pure.

Without traffic nobody knows what a replica serves, but a request alone is faster than any among
others: a level that it misses is out of reach, however many replicas there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from escadre.api.deployment import ModelDeploymentSpec
from escadre.cli.plan.speeds import Paced
from escadre.cli.shared.marks import State
from escadre.core.scaling.service import ServiceLevel
from escadre.core.scaling.step import Bounds
from escadre.state.service import level_of

__all__ = ["Numbers", "Reach", "document", "level_words", "numbers_of", "range_words", "rows"]

Row = tuple[State, str, str]


@dataclass(frozen=True, slots=True)
class Reach:
    """A service level, and a request of ``prompt`` tokens that has a replica to itself; seconds."""

    level: ServiceLevel
    wished: bool
    prompt: int
    first_token: float
    between_tokens: float

    @property
    def holds(self) -> bool:
        """Whether at least such a request keeps the level."""
        return (
            self.first_token <= self.level.time_to_first_token
            and self.between_tokens <= self.level.inter_token_latency
        )


@dataclass(frozen=True, slots=True)
class Numbers:
    """Between which numbers it scales now; ``reach`` is None where no level or layout tells."""

    spec: ModelDeploymentSpec
    bounds: Bounds
    reach: Reach | None


def numbers_of(spec: ModelDeploymentSpec, paced: Paced | None, now: float) -> Numbers:
    """Of a wish, with the speed of its layout if it gets one."""
    reach = _reach(spec, paced) if paced and _follows_demand(spec) else None
    return Numbers(spec, Bounds.of(spec.scaling, now), reach)


def _follows_demand(spec: ModelDeploymentSpec) -> bool:
    """Whether the service level decides the number, or was asked for all the same."""
    scaling = spec.scaling
    if scaling.target_queue_depth is not None:
        return False
    return spec.service_level is not None or scaling.max_replicas > scaling.min_replicas


def _reach(spec: ModelDeploymentSpec, paced: Paced) -> Reach:
    prompt, speed = paced.layout.typical_tokens, paced.speed
    step = speed.decode.seconds(1, prompt)
    return Reach(
        level=level_of(spec),
        wished=spec.service_level is not None,
        prompt=prompt,
        first_token=prompt / speed.prefill_tokens_per_second + step,
        between_tokens=step,
    )


def range_words(numbers: Numbers) -> str:
    """``2 at least, 6 at most``, and what else bounds the number now."""
    scaling, bounds = numbers.spec.scaling, numbers.bounds
    words = f"{bounds.minimum:,} at least"
    if bounds.window is not None:
        words += f" now by schedules[{bounds.window}], else {scaling.min_replicas:,}"
    words += f", {bounds.maximum:,} at most"
    return f"{words}, {scaling.spare_replicas:,} spare" if scaling.spare_replicas else words


def rows(numbers: Numbers) -> Iterator[Row]:
    """Each window, then the level."""
    for index, one in enumerate(numbers.spec.scaling.schedules or ()):
        state: State = "ok" if numbers.bounds.window == index else "waiting"
        words = f"{one.min_replicas:,} at least, {one.words}"
        if one.min_replicas > max(numbers.bounds.minimum, numbers.spec.scaling.spare_replicas or 0):
            words += "; it is not open now, and what it adds is not placed here"
        yield state, f"schedules[{index}]", words
    if numbers.reach is not None:
        yield ("ok" if numbers.reach.holds else "unknown"), "level", level_words(numbers.reach)


def level_words(reach: Reach) -> str:
    """What is asked, what a request alone takes, and whether that keeps it."""
    level = reach.level
    asked = (
        f"first token in {level.time_to_first_token:g} s and "
        f"{1000 * level.inter_token_latency:g} ms between tokens for {100 * level.share:.0f} %"
    )
    alone = (
        f"a prompt of {reach.prompt:,} tokens alone takes {_seconds(reach.first_token)}, then "
        f"{_milliseconds(reach.between_tokens)} a token (estimated)"
    )
    default = "" if reach.wished else " (default)"
    if reach.holds:
        return f"{asked}{default}; {alone}"
    return f"{asked}{default}: out of reach with any number of replicas, for {alone}"


def _seconds(value: float) -> str:
    return f"{_two(value)} s" if value >= 1 else _milliseconds(value)


def _milliseconds(value: float) -> str:
    return f"{_two(1000 * value)} ms"


def _two(value: float) -> str:
    """Two digits: the estimate has no more."""
    return f"{float(f'{value:.2g}'):,g}"


def document(numbers: Numbers) -> dict[str, Any]:
    """The same as JSON."""
    scaling, bounds, reach = numbers.spec.scaling, numbers.bounds, numbers.reach
    return {
        "minReplicas": scaling.min_replicas,
        "maxReplicas": scaling.max_replicas,
        "spareReplicas": scaling.spare_replicas or 0,
        "targetQueueDepth": scaling.target_queue_depth,
        "schedules": [
            one.model_dump(mode="json", by_alias=True) for one in scaling.schedules or ()
        ],
        "minReplicasNow": bounds.minimum,
        "schedule": bounds.window,
        "serviceLevel": _reach_document(reach) if reach else None,
    }


def _reach_document(reach: Reach) -> dict[str, Any]:
    return {
        "timeToFirstTokenSeconds": reach.level.time_to_first_token,
        "interTokenLatencyMilliseconds": round(1000 * reach.level.inter_token_latency),
        "percentile": round(100 * reach.level.share),
        "default": not reach.wished,
        "withinReach": reach.holds,
        "alone": {
            "promptTokens": reach.prompt,
            "timeToFirstTokenSeconds": round(reach.first_token, 4),
            "interTokenLatencyMilliseconds": round(1000 * reach.between_tokens, 1),
        },
    }
