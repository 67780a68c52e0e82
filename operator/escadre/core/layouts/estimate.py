"""What one layout that somebody names would hold, term by term: no search, no nodes.

cli/layout/estimate.py asks it. It counts with core/engines/gpu_memory.py and refuses in the words
of the search, so it never says otherwise than the operator would plan. Pure, whole numbers.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.gpu_memory import CACHE_ELEMENT, GPUFill, Overhead, fill_gpu, overhead_of
from escadre.core.engines.legality import LayoutRefusal, check_size
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.stages import check_stages
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.layouts.candidate import Need, refuse_memory

__all__ = ["Estimate", "Filled", "Launch", "estimate"]


@dataclass(frozen=True, slots=True)
class Launch:
    """How an engine is started: its flags, one GPU's memory, the bytes of a number in the cache.

    Of several pipeline stages the tightest is filled.
    """

    limits: EngineLimits
    max_model_len: int
    visible_bytes: int
    utilization: Fraction
    cache_element_bytes: int = CACHE_ELEMENT


@dataclass(frozen=True, slots=True)
class Filled:
    """One GPU under these flags, and what the cache of all of them holds."""

    fill: GPUFill
    overhead: Overhead
    key_value_tokens: int
    concurrency: Fraction
    longest: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """``filled`` is None when the layout is not legal, ``refusal`` when the engine would start."""

    filled: Filled | None
    refusal: LayoutRefusal | None


def estimate(architecture: Architecture, launch: Launch) -> Estimate:
    """Fills one GPU; it fits when one request of max_model_len does, as vLLM asks."""
    refusal = check_size(architecture, launch.limits.tensor_parallel_size)
    refusal = refusal or check_stages(architecture, launch.limits.pipeline_parallel_size)
    if refusal is not None:
        return Estimate(None, refusal)
    fill = fill_gpu(architecture, launch.limits, launch.visible_bytes, 100 * launch.utilization)
    token = fill.bytes_per_token * launch.cache_element_bytes // CACHE_ELEMENT
    fill = replace(fill, bytes_per_token=token)
    concurrency = Fraction(fill.blocks, fill.groups.blocks_for(launch.max_model_len))
    tokens = fill.blocks * BLOCK_TOKENS
    filled = Filled(
        fill=fill,
        overhead=overhead_of(architecture, launch.limits, fill.stage),
        key_value_tokens=(
            int(concurrency * launch.max_model_len) if fill.groups.sliding else tokens
        ),
        concurrency=concurrency,
        longest=fill.groups.longest(fill.blocks, architecture.max_context_length),
    )
    return Estimate(filled, _refuse(architecture, launch, fill))


def _refuse(architecture: Architecture, launch: Launch, fill: GPUFill) -> LayoutRefusal | None:
    if launch.max_model_len > architecture.max_context_length:
        return LayoutRefusal(
            reasons.CONTEXT_TOO_LONG,
            f"{launch.max_model_len:,} tokens are more than the "
            f"{architecture.max_context_length:,} that the model allows",
        )
    return refuse_memory(Need(launch.max_model_len, launch.max_model_len, None), fill)
