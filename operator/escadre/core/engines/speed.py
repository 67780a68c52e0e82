"""How fast an engine serves in a layout: prefill, and one decode step, by the roofline.

It is a prior, not a promise: docs/use/how-it-decides.md has its error against runs of vLLM. Pure.
Times are floats, for nothing is counted out of them; bytes stay whole numbers.

A decode step gives every running sequence one token::

    seconds = fixed + per_running × running sequences + per_cached_token × tokens in the cache

``fixed`` reads the weights once, ``per_running`` computes one token, ``per_cached_token`` reads the
keys and values of one. Each is a count over the rate of the data sheet (core/engines/rates.py)
times the share of it that engines reach. Tensor parallelism divides all three and adds two sums
over the GPUs per layer (Megatron-LM, arXiv 1909.08053); stages of a pipeline work one after the
other on each token, so they divide only what their own batch, a share of the running, asks for.
"""

from dataclasses import dataclass, replace
from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.gpu_memory import CACHE_ELEMENT, key_value_bytes_per_token
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.rates import Rates

__all__ = ["DecodeStep", "Speed", "counted_bytes", "speed_of"]

# What engines reach: five numbers fitted on 127 runs of vLLM with two dense models on H100 SXM,
# _ROUTER and _SEQUENCE on 239 of MiniMax-M2.5 (e2e/bench/speed/runs.py marks them). The share of
# NVLink is between what all-reduce of 8 MiB reaches there with two GPUs, 0.41, and eight, 0.64.
_MEMORY: Final = 0.9  # of the memory's bandwidth
_ARITHMETIC: Final = 0.86  # of the tensor cores
_NVLINK: Final = 0.46  # of one direction
_STEP: Final = 1.6e-3  # seconds: scheduler, sampler, answers of a step
_LAYER: Final = 35e-6  # seconds: the kernels of a layer beside reading and computing
_ROUTER: Final = 25e-6  # seconds: choosing the experts of a layer and sorting the tokens for them
_SEQUENCE: Final = 20e-6  # seconds: sampler and bookkeeping of a sequence
# All-reduce of small messages, and the share of PCIe that larger ones reach, on H100, L40S and RTX
# PRO 6000: aiconfigurator-core 0.12.0, systems/data/*/comm, vllm's and nccl's. Beyond two GPUs
# machines differ: with eight, 64 KiB take 0.16 ms on the L40S there and 0.03 on the RTX.
_SUM: Final = 5e-6  # seconds
_SUM_ON_PCIE: Final = 4e-6  # seconds, per GPU from three on
_PCIE_PAIR: Final = 0.6
_PCIE_MORE: Final = 0.25
# Of the tensor cores, attention over a prompt: from 0.49 to 0.68, medians of six products, there
# in systems/data/*/attention/vllm/*/context_attention_perf.
_ATTENTION: Final = 0.5
_PAIR: Final = 2
_SUMS_PER_LAYER: Final = 2
_ACTIVATION: Final = 2  # bytes of an element between GPUs
_BITS: Final = {"float32": 32, "float8": 8, "int8": 8, "float4": 4, "int4": 4}
_PACKED: Final = 4  # bits of weights that have a scale for every few of them


@dataclass(frozen=True, slots=True)
class DecodeStep:
    """One decode step of the whole replica.

    Args:
        fixed: seconds, whoever runs.
        per_running: seconds for each sequence that runs.
        per_cached_token: seconds for each token that the running sequences hold in the cache.
    """

    fixed: float
    per_running: float
    per_cached_token: float

    def seconds(self, running: int, cached_tokens: int) -> float:
        """Of a step, which is what a sequence waits for its next token."""
        return self.fixed + self.per_running * running + self.per_cached_token * cached_tokens


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one replica is; prompts are read at this rate while no one decodes."""

    prefill_tokens_per_second: float
    decode: DecodeStep

    def cached_in(self, element_bytes: int) -> "Speed":
        """The same with a cache whose numbers take so many bytes, instead of two."""
        token = self.decode.per_cached_token * element_bytes / CACHE_ELEMENT
        return replace(self, decode=replace(self.decode, per_cached_token=token))


@dataclass(frozen=True, slots=True)
class _Work:
    """What a token costs on a whole replica, whatever it is split over.

    Args:
        always_bytes: weights that every step reads.
        expert_bytes: weights of all routed experts.
        operations: floating-point operations of one token on the weights.
    """

    always_bytes: int
    expert_bytes: int
    operations: int


def speed_of(architecture: Architecture, limits: EngineLimits, rates: Rates) -> Speed:
    """The speed of one replica, tensor × pipeline parallel size GPUs of these rates.

    ``rates`` are ``card_of(product, mebibytes, capability).rates``. Of a mixture of experts the
    step is exact at one sequence and at ``limits.max_num_seqs``, and a straight line between, where
    the truth is a curve above it: few sequences soon need most experts. Prefill is that of a prompt
    of ``limits.max_num_batched_tokens``.
    """
    size, stages = limits.tensor_parallel_size, limits.pipeline_parallel_size
    work = _work_of(architecture)
    most = max(2, limits.max_num_seqs)
    first = _read_seconds(architecture, work, rates, running=1) / size
    last = _read_seconds(architecture, work, rates, running=-(-most // stages)) / size
    token = work.operations / size / (rates.arithmetic(_bits(architecture)) * _ARITHMETIC)
    sums = _sums_per_token(architecture, size, rates)
    each = (_SEQUENCE + token + sums) / stages + (last - first) / (most - 1)
    cached = key_value_bytes_per_token(architecture, size) / (rates.memory.value * _MEMORY * stages)
    layer = _LAYER + _wait_per_layer(size, rates) + (_ROUTER if architecture.experts else 0)
    fixed = first + _STEP * stages + architecture.layers * layer
    prompt = limits.max_num_batched_tokens
    attention = _attention_operations(architecture, prompt) / size
    read = token + sums + attention / (rates.bits16.value * _ATTENTION)
    return Speed(
        prefill_tokens_per_second=stages / read,
        decode=DecodeStep(fixed - (last - first) / (most - 1), each, cached),
    )


def _read_seconds(architecture: Architecture, work: _Work, rates: Rates, *, running: int) -> float:
    """Reading the weights of a step on one GPU that held them all.

    Of the routed experts those that some sequence chose: with even choice the expected share is
    1 - (1 - chosen/routed)^running.
    """
    experts = architecture.experts
    chosen = 0.0 if experts is None else 1 - (1 - experts.per_token / experts.routed) ** running
    reached = rates.memory.value * _MEMORY
    return (work.always_bytes + chosen * work.expert_bytes) / reached


def _wait_per_layer(size: int, rates: Rates) -> float:
    """Seconds that a layer waits for its sums over the GPUs, however little is summed."""
    if size == 1:
        return 0.0
    if _is_linked(size, rates) or size == _PAIR:
        return _SUMS_PER_LAYER * _SUM
    return _SUMS_PER_LAYER * _SUM_ON_PCIE * size


def _sums_per_token(architecture: Architecture, size: int, rates: Rates) -> float:
    """Seconds in which a token's sums cross the links: 2 (n-1)/n of its bytes per GPU (a ring)."""
    if size == 1:
        return 0.0
    if _is_linked(size, rates):
        reached = rates.nvlink.value * _NVLINK
    else:
        reached = rates.pcie_bytes * (_PCIE_PAIR if size == _PAIR else _PCIE_MORE)
    width = architecture.hidden_size * _ACTIVATION * _SUMS_PER_LAYER * architecture.layers
    return width * 2 * (size - 1) / size / reached


def _is_linked(size: int, rates: Rates) -> bool:
    return size <= rates.nvlink_domain.value


def _work_of(architecture: Architecture) -> _Work:
    """From the bytes of the tensors, split by the dimensions.

    The embedding is looked up, not read; experts that nobody chose are not read either.
    """
    bits, always = _bits(architecture), _always(architecture)
    head = architecture.vocabulary_size * architecture.hidden_size
    routed, chosen = _routed(architecture)
    expert_bytes = _stored_bytes(architecture, routed)
    rest = architecture.weight_bytes - expert_bytes - 2 * head
    return _Work(
        always_bytes=max(rest, always * bits // 8),
        expert_bytes=min(expert_bytes, architecture.weight_bytes),
        operations=2 * (always + chosen),
    )


def counted_bytes(architecture: Architecture) -> int:
    """Bytes of the weights of layers and head, by the dimensions and the type of most of them."""
    routed, _ = _routed(architecture)
    return (_always(architecture) + routed) * _bits(architecture) // 8


def _always(architecture: Architecture) -> int:
    """Parameters that every token passes."""
    head = architecture.vocabulary_size * architecture.hidden_size
    return architecture.layers * _parameters_per_layer(architecture) + head


def _routed(architecture: Architecture) -> tuple[int, int]:
    """Parameters of all experts that tokens are sent to, and of those that one token passes."""
    experts = architecture.experts
    if experts is None:
        return 0, 0
    one = 3 * architecture.hidden_size * experts.intermediate_size * architecture.layers
    return one * experts.routed, one * experts.per_token


def _parameters_per_layer(architecture: Architecture) -> int:
    """Of attention and what every token passes of the feed-forward part."""
    hidden, heads = architecture.hidden_size, architecture.attention_heads
    width, experts = architecture.head_dimension, architecture.experts
    feed_forward = architecture.intermediate_size
    if experts is not None:
        feed_forward = experts.shared * experts.intermediate_size
    latent = architecture.latent_attention
    if latent is None:
        attention = hidden * width * 2 * (heads + architecture.key_value_heads)
    else:
        query, rank = hidden // 4, latent.kv_lora_rank  # as in replicated.py: not a fact
        attention = hidden * (query + rank + latent.rope_head_dimension)
        attention += heads * (query * (width + latent.rope_head_dimension) + 2 * rank * width)
        attention += heads * width * hidden
    return attention + 3 * hidden * feed_forward


def _attention_operations(architecture: Architecture, prompt: int) -> int:
    """Of a token of a prompt on average: it looks at half of it, scores and values."""
    width = architecture.attention_heads * architecture.head_dimension
    return 4 * architecture.layers * width * (prompt // 2)


def _bits(architecture: Architecture) -> int:
    return _BITS.get(architecture.dtype, 16)


def _stored_bytes(architecture: Architecture, weights: int) -> int:
    """Of quantised weights with their scales: one of 16 bits a group, of NVFP4 one of 8 for 16."""
    bits, quantization = _bits(architecture), architecture.quantization
    if bits != _PACKED:
        return weights * bits // 8
    told = quantization.group_size if quantization is not None else None
    scale, group = (8, told or 16) if architecture.dtype == "float4" else (16, told or 128)
    return weights * (bits * group + scale) // (8 * group)
