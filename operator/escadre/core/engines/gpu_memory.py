"""How vLLM fills one GPU: weights, overhead and key-value cache, in whole bytes.

core/layouts/search.py asks it whether a layout fits. The equation is vLLM's own
(vllm-project/vllm:vllm/v1/worker/gpu_worker.py, docs/use/concepts.md)::

    usable = visible × utilisation
    cache  = usable - weights - overhead(non-torch + activation peak + CUDA graphs)

Every term errs towards too much, so a layout that is planned starts; tests/core/engines holds the
terms against measured start-ups. The terms have files of their own: weights_memory.py,
activation.py; the constants of each version of vLLM are core/memoryterms.py. Of the stages of a
pipeline the tightest speaks for all: vLLM takes the least number of blocks over its workers
(vllm/v1/core/kv_cache_utils.py get_kv_cache_configs). Pure integers, rounded against the model.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from escadre.api.approval import Architecture
from escadre.core.engines.activation import activation_bytes, is_dense, runner_of
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.limits import WHOLE, EngineLimits, Stage, stages_of
from escadre.core.engines.weights_memory import weights_bytes
from escadre.core.engines.windows import BLOCK_TOKENS, CacheGroups, cache_groups

__all__ = [
    "CACHE_ELEMENT",
    "GPUFill",
    "Overhead",
    "batched_tokens",
    "cache_layers",
    "effective_utilization",
    "fill_gpu",
    "key_value_bytes_per_token",
    "overhead_bytes",
    "overhead_of",
    "visible_bytes",
]

CACHE_ELEMENT: Final = 2  # bytes; --kv-cache-dtype auto keeps the 16-bit type of the model
_SMALL_CARD: Final = 24 * GIB
_SMALL_CARD_SLACK: Final = 2 * GIB


@dataclass(frozen=True, slots=True)
class GPUFill:
    """One GPU, filled. ``cache_bytes`` is negative when the rest does not fit.

    ``bytes_per_token`` is the room of one token in the layers of one group, which are all layers
    where none has a window; ``stage`` the pipeline stage it belongs to, the tightest of them.
    """

    visible_bytes: int
    usable_bytes: int
    weights_bytes: int
    overhead_bytes: int
    bytes_per_token: int
    groups: CacheGroups
    stage: Stage = WHOLE

    @property
    def cache_bytes(self) -> int:
        """What is left for the key-value cache."""
        return self.usable_bytes - self.weights_bytes - self.overhead_bytes

    @property
    def blocks(self) -> int:
        """Blocks of the cache that hold tokens; vLLM keeps one as the null block.

        vllm-project/vllm:vllm/v1/core/block_pool.py
        """
        return max(0, self.cache_bytes // (self.bytes_per_token * BLOCK_TOKENS) - 1)


@dataclass(frozen=True, slots=True)
class Overhead:
    """What vLLM takes of one GPU beside weights and cache, in bytes."""

    non_torch: int
    graphs: int
    activation: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.non_torch + self.graphs + self.activation


def visible_bytes(product: str, memory_bytes: int, reserved_bytes: int | None) -> int:
    """Memory of a GPU that CUDA sees, from the total of NVML or GPU feature discovery.

    The driver keeps ``reserved_bytes`` (nvmlDeviceGetMemoryInfo_v2): the rest is cudaMemGetInfo's
    total to the byte (seen on H100 and H200, driver 580.159.04). Where it is not known, the gap
    between nvidia-smi and torch as published start-up logs show it: 0.85 GiB on A100 80 GB,
    0.43 to 0.50 GiB on A10, H100, L40S, RTX 5090, 0.6 on H200, 0.7 on B200.
    """
    if reserved_bytes is None:
        floor = 896 * MIB if "A100" in product else 512 * MIB
        reserved_bytes = max(floor, memory_bytes // 200)
    return max(0, memory_bytes - reserved_bytes)


def effective_utilization(visible: int, percent: int) -> int:
    """--gpu-memory-utilization in percent: the platform's, less on cards of 24 GB and below.

    What vLLM does not foresee has to live in the rest: 8 % of a small card is too little for it, so
    2 GiB stay free (kaito-project/kaito:pkg/model/interface.go lowers it likewise).
    """
    if visible > _SMALL_CARD or visible <= _SMALL_CARD_SLACK:
        return percent
    return max(1, min(percent, 100 - -(-100 * _SMALL_CARD_SLACK // visible)))


def batched_tokens(visible: int, max_num_seqs: int) -> int:
    """--max-num-batched-tokens, always explicit; chunked prefill is on.

    8192 on GPUs with 70 GiB and more, else 2048: vLLM's own defaults for serving, except that the
    largest cards stay at 8192, for short pauses between tokens
    (vllm-project/vllm:vllm/engine/arg_utils.py). Never below max_num_seqs, which vLLM refuses.
    """
    return max(8192 if visible >= 70 * GIB else 2048, max_num_seqs)


def key_value_bytes_per_token(architecture: Architecture, tensor_parallel_size: int) -> int:
    """Cache of one token on one GPU; with MLA the latent is whole on every GPU.

    vllm-project/vllm:vllm/v1/kv_cache_interface.py; as long as no window of a layer is full.
    """
    latent = architecture.latent_attention
    if latent is not None:
        width = latent.kv_lora_rank + latent.rope_head_dimension
    else:
        heads = max(1, architecture.key_value_heads // tensor_parallel_size)
        width = 2 * heads * architecture.head_dimension
    return architecture.layers * width * CACHE_ELEMENT


def overhead_of(architecture: Architecture, limits: EngineLimits, stage: Stage = WHOLE) -> Overhead:
    """What vLLM takes beside weights and cache: non-torch, activation peak, CUDA graphs."""
    return Overhead(
        non_torch=_non_torch_bytes(limits),
        graphs=_graph_bytes(architecture, limits),
        activation=activation_bytes(architecture, limits, stage),
    )


def overhead_bytes(architecture: Architecture, limits: EngineLimits, stage: Stage = WHOLE) -> int:
    """The sum of ``overhead_of``."""
    return overhead_of(architecture, limits, stage).total


def fill_gpu(
    architecture: Architecture, limits: EngineLimits, visible: int, percent: int | Fraction
) -> GPUFill:
    """The memory of one GPU under these flags; of several stages, one of the tightest."""
    usable = visible * percent // 100
    held = min(
        _held(architecture, limits),
        key=lambda one: (usable - one.weights - one.overhead) // one.bytes_per_token,
    )
    return GPUFill(visible, usable, *held)


class _Held(NamedTuple):
    """What a stage takes of a GPU, whatever that has."""

    weights: int
    overhead: int
    bytes_per_token: int
    groups: CacheGroups
    stage: Stage


@lru_cache(maxsize=8192)
def _held(architecture: Architecture, limits: EngineLimits) -> tuple[_Held, ...]:
    """Each stage once; kept, for wishes and cards differ more often than models and flags."""
    stages: Iterable[Stage] = (WHOLE,)
    if limits.pipeline_parallel_size > 1:
        stages = dict.fromkeys(stages_of(architecture.layers, limits.pipeline_parallel_size))
    return tuple(_held_by(architecture, limits, stage) for stage in stages)


def _held_by(architecture: Architecture, limits: EngineLimits, stage: Stage) -> _Held:
    size = limits.tensor_parallel_size
    groups = cache_layers(architecture, limits, stage)
    every = key_value_bytes_per_token(architecture, size)
    return _Held(
        weights=weights_bytes(architecture, size, stage),
        overhead=overhead_bytes(architecture, limits, stage),
        bytes_per_token=every // architecture.layers * groups.layers,
        groups=groups,
        stage=stage,
    )


def cache_layers(
    architecture: Architecture, limits: EngineLimits, stage: Stage = WHOLE
) -> CacheGroups:
    """How the cache serves a stage's layers; a step for each stage and one ahead are in flight.

    vllm-project/vllm:vllm/config/vllm.py max_in_flight_tokens
    """
    steps = limits.pipeline_parallel_size + 1
    layers = None if stage.whole else max(1, stage.layers)
    return cache_groups(architecture, steps * limits.max_num_batched_tokens, layers)


def _non_torch_bytes(limits: EngineLimits) -> int:
    """What the process holds of the GPU outside torch; NVLink switches bring the largest buffers.

    A pipeline without tensor parallelism made none of NCCL's before the cache is sized (0.07 GiB
    seen), and counts as one GPU does.
    """
    terms = limits.terms
    if limits.tensor_parallel_size == 1:
        return terms.non_torch
    return terms.non_torch_switched if limits.switched else terms.non_torch_bus


def _graph_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """CUDA graphs, as far as they come out of the utilisation (core/memoryterms.py).

    Graphs are captured for batches up to twice max_num_seqs, 512 at most. 0.4 to 1.9 GiB were seen
    on H100 with mixtures of experts, an estimate of 1 GiB with a dense model of 8 billion; 0.5 GiB
    pays for the smallest, and in 0.27 and 0.28 for a dense model's silent fall-back to the first
    runner.
    """
    captured = min(2 * limits.max_num_seqs, 512)
    if not runner_of(architecture, limits).graphs:
        return 512 * MIB if limits.terms.experts.graphs else 0
    if is_dense(architecture):
        return 512 * MIB + 5 * MIB * captured // 4
    return 512 * MIB + 3 * MIB * captured
