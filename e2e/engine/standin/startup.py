"""Decides whether the stand-in may serve a model with the flags it got, in vLLM's words.

Pure but for the model folder that ``modelfolder`` read; called by ``__main__``. The size of the
imagined KV cache comes from ``STANDIN_KV_TOKENS``, so that a test can make it too small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from e2e.engine.standin.failing import ConfigError, CoreError
from e2e.engine.standin.flags import Options
from e2e.engine.standin.metrics import CacheInfo
from e2e.engine.standin.modelfolder import ModelFolder

__all__ = ["Capacity", "plan_capacity"]

_DEFAULT_KV_TOKENS: Final = 524_288
_GIB: Final = 1 << 30
_ADVICE: Final = (
    "See https://docs.vllm.ai/en/latest/configuration/conserving_memory/ for more details."
)


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the engine can hold."""

    max_model_len: int
    cache: CacheInfo


def plan_capacity(
    options: Options, folder: ModelFolder, environment: Mapping[str, str]
) -> Capacity:
    """The engine's length and KV cache; ``StartError`` where vLLM would refuse to start."""
    _check_heads(options, folder)
    max_model_len = options.max_model_len or folder.max_position_embeddings
    if max_model_len > folder.max_position_embeddings:
        raise ConfigError(_too_long_for_model(max_model_len, folder.max_position_embeddings))
    given = environment.get("STANDIN_KV_TOKENS")
    tokens = max(_DEFAULT_KV_TOKENS, max_model_len) if given is None else int(given)
    tokens -= tokens % options.block_size
    per_token = folder.kv_bytes_per_token(options)
    if tokens <= 0:
        raise CoreError(
            "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` "
            "when initializing the engine (this flag also controls CPU memory reservation on the "
            f"CPU backend, despite its name). {_ADVICE}"
        )
    needed = -(-max_model_len // options.block_size) * options.block_size
    if needed > tokens:
        raise CoreError(_too_long_for_memory(max_model_len, needed, tokens, per_token))
    cache = CacheInfo(
        block_size=options.block_size,
        blocks=tokens // options.block_size,
        tokens=tokens,
        bytes=tokens * per_token,
        max_concurrency=tokens / max_model_len,
        dtype=options.kv_cache_dtype,
        utilization=options.gpu_memory_utilization,
    )
    return Capacity(max_model_len, cache)


def _check_heads(options: Options, folder: ModelFolder) -> None:
    if folder.heads % options.tensor_parallel_size:
        raise ConfigError(
            f"Total number of attention heads ({folder.heads}) must be divisible by tensor "
            f"parallel size ({options.tensor_parallel_size}).",
            "VllmConfig",
        )


def _too_long_for_model(asked: int, limit: int) -> str:
    return (
        f"User-specified max_model_len ({asked}) is greater than the derived max_model_len "
        f"(max_position_embeddings={limit}.0 or model_max_length=None in model's config.json). "
        "To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1."
    )


def _too_long_for_memory(asked: int, needed: int, available: int, per_token: int) -> str:
    return (
        f"To serve at least one request with the model's max seq len ({asked}), "
        f"({_gib(needed * per_token)} GiB KV cache is needed, which is larger than the "
        f"available KV cache memory ({_gib(available * per_token)} GiB). Based on the "
        f"available memory, the estimated maximum model length is {available}. Try increasing "
        "`gpu_memory_utilization` (which also controls CPU memory on the CPU backend) or "
        f"decreasing `max_model_len` when initializing the engine. {_ADVICE}"
    )


def _gib(size: int) -> float:
    return round(size / _GIB, 2)
