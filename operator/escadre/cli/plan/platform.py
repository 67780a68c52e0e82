"""What the platform chose that a plan rests on, from the settings of the operator that runs.

The chart keeps them in a ConfigMap beside the operator, which not everybody may read: who may not
is told what was assumed instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from escadre.clients.kube import CONFIG_MAPS, Api, Forbidden, NotFound
from escadre.settings import EngineSettings

__all__ = ["TOLERATED", "Platform", "read_platform"]

_NAME: Final = "escadre"
_FILE: Final = "config.yaml"
_DEFAULT_PERCENT: Final[int] = EngineSettings.model_fields["gpu_memory_utilization_percent"].default
# What the chart's default tolerates.
TOLERATED: Final = ({"key": "nvidia.com/gpu", "operator": "Exists"},)


@dataclass(frozen=True, slots=True)
class Platform:
    """``note`` says what was assumed, "" when all is known."""

    tolerations: Sequence[Mapping[str, Any]] = TOLERATED
    gpu_memory_utilization_percent: int = _DEFAULT_PERCENT
    note: str = ""


async def read_platform(api: Api, namespace: str, percents: Sequence[int]) -> Platform:
    """The platform's choices; ``percents`` are those that plans of before were made with."""
    try:
        found = await api.get(CONFIG_MAPS, _NAME, namespace=namespace)
    except Forbidden:
        return _assumed(f"You may not read ConfigMap {namespace}/{_NAME}", percents)
    except NotFound:
        why = f"There is no ConfigMap {namespace}/{_NAME}; name its namespace with "
        return _assumed(f"{why}--system-namespace", percents)
    engine = _engine((found.get("data") or {}).get(_FILE, ""))
    if engine is None:
        return _assumed(f"{_FILE} of ConfigMap {namespace}/{_NAME} cannot be read", percents)
    return Platform(
        engine.get("tolerations") or (),
        engine.get("gpuMemoryUtilizationPercent") or _DEFAULT_PERCENT,
    )


def _engine(text: str) -> Mapping[str, Any] | None:
    """The engine's section, whatever else a newer or older version wrote there."""
    try:
        whole = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    engine = whole.get("engine") if isinstance(whole, dict) else None
    return engine if isinstance(engine, dict) else None


def _assumed(why: str, percents: Sequence[int]) -> Platform:
    percent = percents[-1] if percents else _DEFAULT_PERCENT
    note = (
        f"{why}: engines are taken to tolerate what the chart's default does, and to use "
        f"{percent} % of a GPU's memory."
    )
    return Platform(gpu_memory_utilization_percent=percent, note=note)
