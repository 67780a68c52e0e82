"""What both sides of bench-live are given: one engine, one deployment, one platform."""

from dataclasses import dataclass
from typing import Any, Final

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.policy import Windows
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.replica import ReplicaModel
from escadre.core.simulation.setting import ColdStart, Objective, Scaled, Setting

__all__ = ["CHART", "NAME", "SPEC", "Engine", "setting"]

NAME: Final = "traced"
_DECODES: Final = 40.0  # tokens a second of one sequence, whatever the batch
_PREFILLS: Final = 8000.0
_LOAD_SECONDS: Final = 20.0
_CACHE_TOKENS: Final = 524_288  # the stand-in's own
_SCRAPE_SECONDS: Final = 3.0
_STALE_SECONDS: Final = 15.0
_WINDOW_SECONDS: Final = 60.0
_MOST: Final = 6
_TARGET: Final = 6

CHART: Final[dict[str, Any]] = {
    "scaling": {
        "scrapeSeconds": int(_SCRAPE_SECONDS),
        "staleSeconds": int(_STALE_SECONDS),
        "downStabilizationSeconds": int(_WINDOW_SECONDS),
    },
    "engine": {
        "env": {
            "STANDIN_TOKENS_PER_SECOND": str(_DECODES),
            "STANDIN_PREFILL_TOKENS_PER_SECOND": str(_PREFILLS),
            "STANDIN_STARTUP_SECONDS": str(_LOAD_SECONDS),
        }
    },
}
SPEC: Final[dict[str, Any]] = {
    "contextLength": 8192,
    "concurrency": 16,
    "scaling": {"minReplicas": 1, "maxReplicas": _MOST, "targetQueueDepth": _TARGET},
}


@dataclass(frozen=True, slots=True)
class Engine:
    """What the operator starts each engine with, from the plan in the status."""

    max_num_seqs: int
    max_num_batched_tokens: int
    max_model_len: int


def setting(engine: Engine, load_seconds: float, seed: int) -> Setting:
    """The simulator's side; ``load_seconds`` is that of the first replica, before the trace."""
    return Setting(
        model=ReplicaModel(
            speed=Speed(_PREFILLS, DecodeStep(1 / _DECODES, 0.0, 0.0)),
            cache_blocks=_CACHE_TOKENS // BLOCK_TOKENS,
            max_num_seqs=engine.max_num_seqs,
            max_num_batched_tokens=engine.max_num_batched_tokens,
            max_model_len=engine.max_model_len,
            gpus=1,
        ),
        scaled=Scaled(
            Bounds(1, _MOST), _TARGET, Windows(_WINDOW_SECONDS, _STALE_SECONDS), _SCRAPE_SECONDS
        ),
        cold=ColdStart(load_seconds, spread=0.0),
        objective=Objective(2.0, 0.1),
        seed=seed,
    )
