"""How vLLM fills one GPU: weights, overhead and key-value cache, in whole bytes.

core/layouts/search.py asks it whether a layout fits. The equation is vLLM's own
(vllm-project/vllm:vllm/v1/worker/gpu_worker.py, docs/use/concepts.md)::

    usable = visible × utilisation
    cache  = usable - weights - overhead(non-torch + activation peak + CUDA graphs)

Every term errs towards too much, so a layout that is planned starts; tests/core/test_memory.py
holds the terms against measured start-ups. Pure integers, rounded against the model.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.replicated import replicated_bytes
from escadre.core.engines.windows import BLOCK_TOKENS, CacheGroups, cache_groups

__all__ = [
    "BLOCK_TOKENS",
    "CACHE_ELEMENT",
    "GIB",
    "MIB",
    "EngineLimits",
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
    "weights_bytes",
]

MIB: Final = 1 << 20
GIB: Final = 1 << 30
CACHE_ELEMENT: Final = 2  # bytes; --kv-cache-dtype auto keeps the 16-bit type of the model
_ELEMENT: Final = 2  # bytes of one activation, and of one weight that is not quantised
_SAMPLER_BYTES: Final = 40  # per row and vocabulary entry; 39 measured, see _activation_bytes
_LATENT_WORKSPACE_TOKENS: Final = 65536  # most tokens of vLLM's chunked prefill with MLA
_SMALL_CARD: Final = 24 * GIB
_SMALL_CARD_SLACK: Final = 2 * GIB


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The engine's flags that decide its overhead."""

    tensor_parallel_size: int
    max_num_seqs: int
    max_num_batched_tokens: int
    pipeline_parallel_size: int = 1


@dataclass(frozen=True, slots=True)
class GPUFill:
    """One GPU, filled. ``cache_bytes`` is negative when the rest does not fit.

    ``bytes_per_token`` is the room of one token in the layers of one group, which are all layers
    where none has a window.
    """

    visible_bytes: int
    usable_bytes: int
    weights_bytes: int
    overhead_bytes: int
    bytes_per_token: int
    groups: CacheGroups

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

    CUDA graphs of dense models live outside the utilisation (profile_cudagraph_memory returns 0,
    vllm-project/vllm:vllm/v1/worker/gpu/model_runner.py); 8 % of a small card is too little for
    them, so 2 GiB stay free (kaito-project/kaito:pkg/model/interface.go lowers it likewise).
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


def weights_bytes(architecture: Architecture, tensor_parallel_size: int) -> int:
    """Bytes of weights and constant buffers on one GPU.

    The tensors as stored, divided by the tensor parallel size, except what each GPU keeps whole
    (replicated.py), the key-value projections of GPUs beyond the key-value heads
    (vllm-project/vllm:vllm/model_executor/layers/linear.py QKVParallelLinear), the vocabulary
    padded to 64 (layers/vocab_parallel_embedding.py), the rotary table (layers/rotary_embedding:
    32 MiB for 131,072 tokens, seen in start-up logs), and with several GPUs the buffers their
    collectives make while loading (0.07 GiB seen).
    """
    size = tensor_parallel_size
    replicated = min(replicated_bytes(architecture), architecture.weight_bytes)
    total = replicated + _ceil(architecture.weight_bytes - replicated, size)
    heads = architecture.key_value_heads
    if architecture.latent_attention is None and size > heads:
        projections = (
            architecture.layers
            * 2
            * architecture.hidden_size
            * heads
            * architecture.head_dimension
            * _ELEMENT
        )
        total += _ceil(projections, heads) - projections // size
    padding = -architecture.vocabulary_size % 64
    total += _ceil(padding * architecture.hidden_size * 2 * _ELEMENT, size)
    total += _absorbed_bytes(architecture, size)
    total += 128 * MIB if size > 1 else 0
    return total + architecture.max_context_length * architecture.head_dimension * _ELEMENT


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


def overhead_of(architecture: Architecture, limits: EngineLimits) -> Overhead:
    """What vLLM takes beside weights and cache: non-torch, activation peak, CUDA graphs.

    Non-torch: 0.13 GiB measured on one GPU, 0.54 to 0.6 on two and more, NCCL grows to 0.4 more
    (ai-dynamo/aiconfigurator:src/aiconfigurator_core/systems). Graphs: mixture-of-experts models
    run on the runner that subtracts them, 0.4 to 1.9 GiB on H100; dense ones on the runner that
    does not, and 0.5 GiB pays for its silent fall-back (vllm-project/vllm:vllm/config/vllm.py).
    """
    graphs = 512 * MIB
    if architecture.experts is not None or architecture.latent_attention is not None:
        graphs += 3 * MIB * min(2 * limits.max_num_seqs, 512)
    return Overhead(
        non_torch=256 * MIB if limits.tensor_parallel_size == 1 else GIB,
        graphs=graphs,
        activation=_activation_bytes(architecture, limits),
    )


def overhead_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """The sum of ``overhead_of``."""
    return overhead_of(architecture, limits).total


def fill_gpu(
    architecture: Architecture, limits: EngineLimits, visible: int, percent: int | Fraction
) -> GPUFill:
    """The memory of one GPU under these flags."""
    groups = cache_layers(architecture, limits)
    every = key_value_bytes_per_token(architecture, limits.tensor_parallel_size)
    return GPUFill(
        visible_bytes=visible,
        usable_bytes=visible * percent // 100,
        weights_bytes=weights_bytes(architecture, limits.tensor_parallel_size),
        overhead_bytes=overhead_bytes(architecture, limits),
        bytes_per_token=every // architecture.layers * groups.layers,
        groups=groups,
    )


def cache_layers(architecture: Architecture, limits: EngineLimits) -> CacheGroups:
    """How the cache serves the layers; a step for each stage and one ahead are in flight.

    vllm-project/vllm:vllm/config/vllm.py max_in_flight_tokens
    """
    steps = limits.pipeline_parallel_size + 1
    return cache_groups(architecture, steps * limits.max_num_batched_tokens)


def _ceil(amount: int, parts: int) -> int:
    return -(-amount // parts)


def _absorbed_bytes(architecture: Architecture, size: int) -> int:
    """MLA keeps 16-bit copies of the up-projections for decoding beside the weights as stored.

    vllm-project/vllm:vllm/v1/attention/backends/mla/common.py process_weights_after_loading
    """
    latent = architecture.latent_attention
    if latent is None:
        return 0
    heads = _ceil(architecture.attention_heads, size)
    width = 2 * heads * architecture.head_dimension * latent.kv_lora_rank
    return architecture.layers * width * _ELEMENT


def _activation_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """Peak of vLLM's profile run: the larger of forward pass and sampler, and the vision encoder.

    Sampler: max_num_seqs rows over the whole vocabulary, not split over GPUs; measured 4.76, 5.64
    and 7.38 GiB at 1024 rows and 128,256, 151,936 and 201,088 entries, 39 bytes per entry
    (llm-d-incubation/llm-d-planner:docs/empirical-vllm-memory-results.md). Forward: the tensors of
    one layer, all counted as live. Vision: encoder and images of one batch, 0.8 to 1 GiB reported
    for one image.
    """
    rows = min(limits.max_num_seqs, limits.max_num_batched_tokens)
    sampler = _SAMPLER_BYTES * rows * architecture.vocabulary_size
    forward = _ELEMENT * limits.max_num_batched_tokens * _live_width(architecture, limits)
    total = max(sampler, forward) + _latent_workspace(architecture, limits)
    if architecture.vision_heads is not None:
        total += GIB + 128 * 1024 * limits.max_num_batched_tokens
    return total


def _live_width(architecture: Architecture, limits: EngineLimits) -> int:
    """Elements per token that one layer's forward pass holds on one GPU, counted generously."""
    size = limits.tensor_parallel_size
    heads = _ceil(architecture.attention_heads, size)
    key_value_heads = _ceil(architecture.key_value_heads, size)
    attention = (2 * heads + 2 * key_value_heads) * architecture.head_dimension
    feed_forward = 3 * _ceil(architecture.intermediate_size, size)
    experts = architecture.experts
    if experts is not None:
        expert = _ceil(experts.intermediate_size, size)
        routed = experts.per_token * (max(2 * expert, architecture.hidden_size) + expert)
        feed_forward = max(feed_forward, routed + 3 * experts.shared * expert)
    return 4 * architecture.hidden_size + attention + feed_forward


def _latent_workspace(architecture: Architecture, limits: EngineLimits) -> int:
    """Up-projected context of MLA's chunked prefill, 65,536 tokens at most.

    vllm-project/vllm:vllm/v1/attention/backends/mla/common.py
    """
    latent = architecture.latent_attention
    if latent is None:
        return 0
    heads = _ceil(architecture.attention_heads, limits.tensor_parallel_size)
    width = 2 * heads * architecture.head_dimension
    width += latent.kv_lora_rank + latent.rope_head_dimension
    return _ELEMENT * _LATENT_WORKSPACE_TOKENS * width
