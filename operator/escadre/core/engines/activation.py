"""Peak of vLLM's profile run on one GPU: forward pass, sampler, encoder, buffers that stay.

core/engines/gpu_memory.py asks it. vllm-project/vllm:vllm/v1/worker/gpu_model_runner.py
profile_run, vllm/v1/worker/gpu/model_runner.py since the second runner: the encoder with the
largest images of a batch, a forward pass of max_num_batched_tokens, then the sampler over
max_num_seqs rows; the larger of them is charged, with what the earlier left standing. Pure
integers.
"""

from typing import Final

from escadre.api.approval import Architecture
from escadre.core.engines.amounts import ceil_div, padded_vocabulary, up_projected_width
from escadre.core.engines.encoding import encoding_bytes
from escadre.core.engines.limits import WHOLE, EngineLimits, Stage
from escadre.core.memoryterms import Runner

__all__ = ["activation_bytes", "is_dense", "runner_of"]

_ELEMENT: Final = 2  # bytes of one activation
_FORWARD_WIDTHS: Final = 5  # of a layer: input, residual, normalised, output and its copy
_BETWEEN_WIDTHS: Final = 2  # hidden states and residual that go from stage to stage
_KEPT_WIDTHS: Final = 3  # while sampling: input, output and residual of the batch
_LATENT_TOKENS: Final = 65536  # most tokens of vLLM's chunked prefill with MLA


def activation_bytes(architecture: Architecture, limits: EngineLimits, stage: Stage = WHOLE) -> int:
    """The peak on a GPU of ``stage``, and the buffers that stay."""
    peak = _forward_bytes(architecture, limits, stage)
    if stage.last:
        peak = max(peak, _sampler_bytes(architecture, limits))
    standing = _expert_bytes(architecture, limits) + _latent_bytes(architecture)
    if architecture.vision_heads is not None and _encodes(architecture, limits, stage):
        peak = max(peak, encoding_bytes(architecture, limits))
        standing += _batch_bytes(architecture, limits)
    return peak + standing


def _encodes(architecture: Architecture, limits: EngineLimits, stage: Stage) -> bool:
    """Whether a profile run encodes images there: the first runner does in every stage."""
    return stage.first or not runner_of(architecture, limits).second


def is_dense(architecture: Architecture) -> bool:
    """Whether it has neither experts nor latent attention; 0.27 and 0.28 run it otherwise."""
    return architecture.experts is None and architecture.latent_attention is None


def runner_of(architecture: Architecture, limits: EngineLimits) -> Runner:
    """The model runner that takes it in this version."""
    return limits.terms.dense if is_dense(architecture) else limits.terms.experts


def _batch_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """One tensor as wide as the model for every token of a batch, also the encoder's cache."""
    return _ELEMENT * limits.max_num_batched_tokens * architecture.hidden_size


def _sampler_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """max_num_seqs rows over the whole vocabulary, not split over GPUs, beside the batch.

    Held against published start-ups of vLLM 0.11 and 0.19: the same on one, two and four GPUs and
    from 0.6 to 70 billion parameters (core/memoryterms.py).
    """
    rows = min(limits.max_num_seqs, limits.max_num_batched_tokens)
    logits = runner_of(architecture, limits).sampler * rows * padded_vocabulary(architecture)
    return logits + _KEPT_WIDTHS * _batch_bytes(architecture, limits)


def _forward_bytes(architecture: Architecture, limits: EngineLimits, stage: Stage) -> int:
    """The widest moment of a layer: gate, up and their product beside the residual stream.

    vLLM 0.19: 0.77 GiB of CodeLlama 7B, 0.85 of Granite 8B; 1.05 and 0.96 in pipeline stages.
    """
    size = limits.tensor_parallel_size
    heads = ceil_div(architecture.attention_heads, size)
    key_value_heads = ceil_div(architecture.key_value_heads, size)
    attention = (2 * heads + 2 * key_value_heads) * architecture.head_dimension
    feed_forward = 3 * ceil_div(architecture.intermediate_size, size)
    experts = architecture.experts
    if experts is not None:
        shared = 3 * experts.shared * ceil_div(experts.intermediate_size, size)
        feed_forward = max(feed_forward, shared)
    widths = _FORWARD_WIDTHS + (0 if stage.whole else _BETWEEN_WIDTHS)
    width = widths * architecture.hidden_size + max(attention, feed_forward)
    peak = _ELEMENT * limits.max_num_batched_tokens * width
    return max(peak, _up_projected_bytes(architecture, size))


def _expert_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """Workspaces of the fused experts: every token once per expert it goes to; they stay.

    vllm-project/vllm:vllm/model_executor/layers/fused_moe/modular_kernel.py, v1/worker/workspace.py
    """
    experts = architecture.experts
    if experts is None:
        return 0
    expert = ceil_div(experts.intermediate_size, limits.tensor_parallel_size)
    width = max(2 * expert, architecture.hidden_size) + expert
    return _ELEMENT * limits.max_num_batched_tokens * experts.per_token * width


def _latent_bytes(architecture: Architecture) -> int:
    """Workspace of MLA's chunked prefill: the latents of 65,536 tokens.

    vllm-project/vllm:vllm/v1/attention/backends/mla/common.py
    """
    latent = architecture.latent_attention
    if latent is None:
        return 0
    width = latent.kv_lora_rank + latent.rope_head_dimension
    return _ELEMENT * _LATENT_TOKENS * width


def _up_projected_bytes(architecture: Architecture, size: int) -> int:
    """The latents of that workspace up-projected to keys and values, which a profile run does."""
    if architecture.latent_attention is None:
        return 0
    heads = ceil_div(architecture.attention_heads, size)
    return _ELEMENT * _LATENT_TOKENS * up_projected_width(architecture, heads)
