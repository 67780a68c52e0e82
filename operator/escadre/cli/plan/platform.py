"""What the platform chose that a plan rests on, and what is assumed where nobody may say it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from escadre.cli.shared.engineconfig import EngineConfig
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.settings import EngineSettings

__all__ = ["TOLERATED", "Platform", "platform_of"]

_DEFAULT_PERCENT: Final[int] = EngineSettings.model_fields["gpu_memory_utilization_percent"].default
# What the chart's default tolerates.
TOLERATED: Final = ({"key": "nvidia.com/gpu", "operator": "Exists"},)


@dataclass(frozen=True, slots=True)
class Platform:
    """``notes`` say what was assumed, none when all is known."""

    tolerations: Sequence[Mapping[str, Any]] = TOLERATED
    gpu_memory_utilization_percent: int = _DEFAULT_PERCENT
    profile: EngineProfile = DEFAULT_PROFILE
    notes: tuple[str, ...] = ()


def platform_of(config: EngineConfig, percents: Sequence[int]) -> Platform:
    """The platform's choices; ``percents`` are those that plans of before were made with."""
    if config.unread:
        return _assumed(config.unread, percents)
    judged = config.profiled
    return Platform(
        config.section.get("tolerations") or (),
        config.section.get("gpuMemoryUtilizationPercent") or _DEFAULT_PERCENT,
        judged.profile,
        (f"{judged.note}.",) if judged.note else (),
    )


def _assumed(why: str, percents: Sequence[int]) -> Platform:
    percent = percents[-1] if percents else _DEFAULT_PERCENT
    note = (
        f"{why}: engines are taken to tolerate what the chart's default does, to use {percent} % "
        f"of a GPU's memory, and to be vLLM {DEFAULT_PROFILE.version}."
    )
    return Platform(gpu_memory_utilization_percent=percent, notes=(note,))
