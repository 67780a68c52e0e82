"""What the outcome of `escadre simulate` is judged by, and who says so. Pure.

--ttft, --itl and --percentile; else the deployment's serviceLevel, for that is what its people are
promised; else the defaults of that. Each on its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.scaling import ServiceLevel as Wished
from escadre.cli.simulate.asked import Asked
from escadre.core.scaling.service import ServiceLevel
from escadre.state.service import level_of

__all__ = ["Judged", "judged_by", "level_document"]

_CALLED: Final = {
    "serviceLevel": "the deployment's serviceLevel",
    "default": "the default of serviceLevel",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The objective, and what its times are from, then its share: an option, the spec, neither."""

    level: ServiceLevel
    sources: tuple[str, str, str]

    @property
    def words(self) -> str:
        """Its times."""
        first, between = self.level.time_to_first_token, self.level.inter_token_latency
        return f"first token in {first:g} s, then one each {between:g} s"

    @property
    def times_note(self) -> str:
        """Where these are from, for a log: of its requests the share is counted, not asked for."""
        return _note(zip(("the first token", "that between tokens"), self.sources[:2], strict=True))

    @property
    def note(self) -> str:
        """Where all of it is from."""
        parts = ("the first token", "that between tokens", "the percentile")
        return _note(zip(parts, self.sources, strict=True))

    @property
    def document(self) -> dict[str, Any]:
        """All of it, as JSON."""
        first, between, share = self.sources
        return {
            "firstTokenSeconds": self.level.time_to_first_token,
            "betweenTokensSeconds": self.level.inter_token_latency,
            "percentile": round(100 * self.level.share),
            "from": {"firstToken": first, "betweenTokens": between, "percentile": share},
        }


def judged_by(asked: Asked, spec: ModelDeploymentSpec) -> Judged:
    """For what was asked of a deployment."""
    wished = spec.service_level or Wished()
    fields = (
        ("time_to_first_token", "--ttft", wished.time_to_first_token_seconds),
        ("inter_token_latency", "--itl", wished.inter_token_latency_milliseconds),
        ("share", "--percentile", wished.percentile),
    )
    first, between, share = (
        option if name in asked.wished else "default" if said is None else "serviceLevel"
        for name, option, said in fields
    )
    return Judged(asked.level(level_of(spec)), (first, between, share))


def _note(parts: Iterable[tuple[str, str]]) -> str:
    by: dict[str, list[str]] = {}
    for part, source in parts:
        by.setdefault(_CALLED.get(source, source), []).append(part)
    if len(by) == 1:
        return f"The objective is {next(iter(by))}."
    said = (f"{source} for {' and '.join(names)}" for source, names in by.items())
    return f"The objective is {', '.join(said)}."


def level_document(level: ServiceLevel) -> dict[str, int]:
    """A service level as the spec has it."""
    return {
        "timeToFirstTokenSeconds": round(level.time_to_first_token),
        "interTokenLatencyMilliseconds": round(1000 * level.inter_token_latency),
        "percentile": round(100 * level.share),
    }
