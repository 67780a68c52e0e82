"""What differs between versions of vLLM, as data: an EngineProfile for each minor version.

core/weights asks it while a model is read, core/engines while a layout is judged, render/engine.py
when an engine is started, clients/engine.py when one is read. A version that is not known is taken
for the nearest older one, and that is said. Everything here was read in the source of the versions
named; the flags stand in engineflags.py, which settings need too.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from escadre.core.memoryterms import MemoryTerms, terms_of
from escadre.engineflags import ENGINE_VERSION, VERSION, Flags, flags_for

__all__ = [
    "DEFAULT_PROFILE",
    "LANGUAGE_ONLY",
    "PROFILES",
    "SHUTDOWN_TIMEOUT",
    "EngineProfile",
    "Profiled",
    "QueueMetrics",
    "minor_of",
    "profile_for",
]

# Engines are started with these where their version has them, and with nothing else that one of the
# known versions lacks.
LANGUAGE_ONLY: Final = "--language-model-only"
SHUTDOWN_TIMEOUT: Final = "--shutdown-timeout"

_VERSION: Final = re.compile(VERSION)
_OLDEST: Final = (0, 11)


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """What an engine calls its requests and its work (vllm/v1/metrics/loggers.py).

    More than one name: the first that a body has counts, the later ones are what vLLM called it
    before. Of the histograms only ``…_sum`` and ``…_count`` are read.

    Args:
        waiting_by_reason: tells requests that wait for capacity (label reason="capacity") from
            those that no other replica would help (vllm-project/vllm#38435). Where a body has it,
            it counts and ``waiting`` does not.
        cache_usage: a share from 0 to 1, despite the name.
    """

    running: str = "vllm:num_requests_running"
    waiting: str = "vllm:num_requests_waiting"
    waiting_by_reason: str = "vllm:num_requests_waiting_by_reason"
    cache_usage: tuple[str, ...] = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
    prompt_tokens: tuple[str, ...] = ("vllm:prompt_tokens_total",)
    generation_tokens: tuple[str, ...] = ("vllm:generation_tokens_total",)
    answered: tuple[str, ...] = ("vllm:request_success_total",)
    preemptions: tuple[str, ...] = ("vllm:num_preemptions_total",)
    prefill: tuple[str, ...] = ("vllm:request_prefill_time_seconds",)
    prefilled_tokens: tuple[str, ...] = ("vllm:request_prefill_kv_computed_tokens_sum",)
    gaps: tuple[str, ...] = (
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
    )


@dataclass(frozen=True, slots=True)
class EngineProfile:
    """What one version of vLLM does otherwise than another.

    Args:
        version: its first two numbers.
        quantization: methods of quantised checkpoints that it serves on GPUs, deprecated ones that
            it refuses not among them
            (vllm-project/vllm:vllm/model_executor/layers/quantization/__init__.py).
        stretches_yarn: whether YaRN's factor lengthens the context, from
            original_max_position_embeddings, or max_position_embeddings is taken as it stands
            (vllm/config/model.py _get_and_verify_max_len).
        caps_params: whether a params.json without max_seq_len allows 128,000 tokens at most,
            whatever its max_position_embeddings (vllm/transformers_utils/configs/mistral.py).
        flags: those that its parser has, and which of them the platform may give.
        memory: what it takes of a GPU beside weights and cache.
        queue: names of its metrics.
        lowest_capability: of a GPU that its wheels run on.
    """

    version: str
    quantization: frozenset[str]
    stretches_yarn: bool
    caps_params: bool
    flags: Flags = field(repr=False)  # hundreds
    memory: MemoryTerms
    queue: QueueMetrics = QueueMetrics()
    lowest_capability: tuple[int, int] = (7, 5)

    def has(self, flag: str) -> bool:
        """Whether it has a flag of exactly this name."""
        return flag in self.flags.named

    @property
    def leaves_encoder_out(self) -> bool:
        """Whether it can serve a model without its encoder, and without what that takes."""
        return self.has(LANGUAGE_ONLY)


@dataclass(frozen=True, slots=True)
class Profiled:
    """The profile that was taken for a version, and what there is to say of it, "" mostly.

    ``asked`` is the first two numbers of that version, which may be none that is known.
    """

    profile: EngineProfile
    note: str
    asked: str


# Minor version, methods that came with it, methods that went.
_METHODS: Final = (
    (
        11,
        (
            "auto-round awq awq_marlin bitblas bitsandbytes compressed-tensors deepspeedfp "
            "experts_int8 fbgemm_fp8 fp8 gguf gptq gptq_bitblas gptq_marlin gptq_marlin_24 hqq "
            "inc modelopt modelopt_fp4 moe_wna16 mxfp4 petit_nvfp4 ptpc_fp8 quark rtn torchao"
        ),
        "",
    ),
    (12, "fp_quant", ""),
    (
        14,
        "",
        (
            "auto-round bitblas deepspeedfp experts_int8 fbgemm_fp8 fp_quant gptq_bitblas "
            "gptq_marlin_24 hqq petit_nvfp4 ptpc_fp8 rtn"
        ),
    ),
    (16, "modelopt_mxfp8", ""),
    (17, "modelopt_mixed", ""),
    (19, "mxfp8", ""),
    (
        20,
        (
            "deepseek_v4_fp8 experts_int8 fp8_per_block fp8_per_tensor gpt_oss_mxfp4 humming "
            "int8_per_channel_weight_only online"
        ),
        "",
    ),
    (22, "auto_gptq", ""),
    (24, "auto_awq fp8_per_channel", "gguf"),
    (26, "nvfp4_per_token", ""),
    (28, "", "bitsandbytes"),
)
_YARN_AS_IT_STANDS: Final = 30
_PARAMS_UNCAPPED: Final = 12


def _profiles() -> dict[tuple[int, int], EngineProfile]:
    _, newest = (int(part) for part in ENGINE_VERSION.split("."))
    changes = {minor: (set(came.split()), set(went.split())) for minor, came, went in _METHODS}
    found: dict[tuple[int, int], EngineProfile] = {}
    methods: set[str] = set()
    for minor in range(_OLDEST[1], newest + 1):
        came, went = changes.get(minor, (set(), set()))
        methods = (methods | came) - went
        found[(0, minor)] = EngineProfile(
            version=f"0.{minor}",
            quantization=frozenset(methods),
            stretches_yarn=minor < _YARN_AS_IT_STANDS,
            caps_params=minor < _PARAMS_UNCAPPED,
            flags=flags_for(f"0.{minor}"),
            memory=terms_of(minor),
        )
    return found


_PROFILES: Final = _profiles()
PROFILES: Final = tuple(_PROFILES[version] for version in sorted(_PROFILES))
DEFAULT_PROFILE: Final = PROFILES[-1]


def profile_for(version: str | None) -> Profiled:
    """The profile of ``0.32``, ``0.32.1`` or ``v0.32.0``, or of the nearest older version.

    None is the version that this operator was made for.

    Raises:
        ValueError: in a sentence, when this is no version.
    """
    if version is None:
        version = DEFAULT_PROFILE.version
    match = _VERSION.fullmatch(version.strip())
    if match is None:
        raise ValueError("a version of vLLM is meant, like 0.32 or 0.32.1")
    asked = (int(match[1]), int(match[2]))
    if asked in _PROFILES:
        return Profiled(_PROFILES[asked], "", minor_of(version))
    older = [known for known in _PROFILES if known < asked]
    taken = _PROFILES[max(older) if older else min(_PROFILES)]
    which = "nearest older" if older else "oldest"
    note = (
        f"vLLM {version.strip()} is not known here; it is judged as {taken.version}, the {which} "
        "version that is"
    )
    return Profiled(taken, note, minor_of(version))


def minor_of(version: str) -> str:
    """``0.32`` of ``v0.32.1``; "" of what is no version."""
    match = _VERSION.fullmatch(version.strip())
    return f"{int(match[1])}.{int(match[2])}" if match else ""
