"""The peak of the profile run, held against what vLLM 0.11 and 0.19 printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import EVERY_MODEL, MISTRAL_7B, SMALL_3, SMALL_4

from escadre.api.approval import Architecture, VisionEncoder
from escadre.core.catalog.entry import LARGE_ENCODER, SMALL_ENCODER
from escadre.core.engines.activation import activation_bytes
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.encoding import encoding_bytes
from escadre.core.engines.limits import EngineLimits, stages_of
from escadre.core.profile import PROFILES, profile_for

TERMS = st.sampled_from([profile.memory for profile in PROFILES])


def shape(hidden: int, ffn: int, heads: int, key_value: int, vocabulary: int) -> Architecture:
    return MISTRAL_7B.model_copy(
        update={
            "hidden_size": hidden,
            "intermediate_size": ffn,
            "attention_heads": heads,
            "key_value_heads": key_value,
            "vocabulary_size": vocabulary,
        }
    )


LLAMA_8B = shape(4096, 14336, 32, 8, 128256)
QWEN_8B = shape(4096, 12288, 32, 8, 151936)
QWEN_SMALL = shape(1024, 3072, 16, 8, 151936)


@pytest.mark.parametrize(
    ("model", "version", "measured"),
    [
        pytest.param(LLAMA_8B, "0.11", 4.76, id="Llama 3.1 8B, 0.11"),
        pytest.param(QWEN_SMALL, "0.11", 5.56, id="Qwen3 0.6B, 0.11"),
        pytest.param(LLAMA_8B, "0.19", 1.89, id="Llama 3.1 8B"),
        pytest.param(shape(3584, 18944, 28, 4, 152064), "0.19", 2.21, id="Qwen2.5 7B"),
        pytest.param(QWEN_8B, "0.19", 2.21, id="Qwen3 8B"),
        pytest.param(shape(2048, 8192, 32, 8, 49155), "0.19", 0.75, id="Granite 2B"),
        pytest.param(shape(4096, 12800, 32, 8, 49155), "0.19", 0.85, id="Granite 8B: forward"),
        pytest.param(shape(4096, 11008, 32, 32, 32016), "0.19", 0.77, id="CodeLlama: forward"),
        pytest.param(SMALL_3, "0.19", 2.03, id="Mistral Small 3.1, with images"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_peak_is_what_vllm_printed(
    model: Architecture, version: str, measured: float, size: int
) -> None:
    """1,024 sequences, 8,192 tokens; the same on one, two and four GPUs where the sampler is it."""
    terms = profile_for(version).profile.memory
    peak = activation_bytes(model, EngineLimits(size, 1024, 8192, terms=terms)) / GIB
    if size == 1 or measured > 1:
        assert -0.05 < peak - measured < 0.15


@pytest.mark.parametrize(
    ("model", "layers", "stages", "measured"),
    [
        pytest.param(LLAMA_8B, 32, 2, 1.10, id="Llama 3.1 8B in two"),
        pytest.param(LLAMA_8B, 32, 4, 1.05, id="Llama 3.1 8B in four"),
        pytest.param(QWEN_8B, 36, 3, 0.96, id="Qwen3 8B in three"),
    ],
)
def test_a_first_stage_has_no_sampler(
    model: Architecture, layers: int, stages: int, measured: float
) -> None:
    limits = EngineLimits(1, 1024, 8192, stages, profile_for("0.19").profile.memory)
    first, *_, last = stages_of(layers, stages)
    assert abs(activation_bytes(model, limits, first) / GIB - measured) < 0.05
    assert activation_bytes(model, limits, last) > activation_bytes(model, limits, first)


@pytest.mark.parametrize(
    ("encoder", "version", "size", "batched", "mebibytes"),
    [
        pytest.param(None, "0.32", 2, 2048, 1024, id="dimensions that are not known"),
        pytest.param(SMALL_ENCODER, "0.32", 1, 2048, 453, id="one image at least"),
        pytest.param(SMALL_ENCODER, "0.32", 2, 6049, 311, id="one, a token short of two"),
        pytest.param(SMALL_ENCODER, "0.32", 2, 6050, 622, id="two"),
        pytest.param(SMALL_ENCODER, "0.28", 2, 2048, 311 + 279, id="with a mask of all patches"),
        pytest.param(LARGE_ENCODER, "0.32", 1, 8192, 1650, id="more than 1 GiB"),
    ],
)
def test_encoding_counts_as_many_images_as_a_batch_has_tokens_for(
    encoder: VisionEncoder | None, version: str, size: int, batched: int, mebibytes: int
) -> None:
    seeing = SMALL_3.model_copy(update={"vision_encoder": encoder})
    limits = EngineLimits(size, 2, batched, terms=profile_for(version).profile.memory)
    assert abs(encoding_bytes(seeing, limits) / MIB - mebibytes) < 1


@pytest.mark.parametrize(
    ("model", "version", "everywhere"),
    [
        pytest.param(SMALL_3, "0.26", True, id="the first runner"),
        pytest.param(SMALL_3, "0.27", False, id="the second"),
        pytest.param(SMALL_4, "0.28", True, id="experts stay on the first"),
        pytest.param(SMALL_4, "0.29", False, id="until 0.29"),
    ],
)
def test_the_first_runner_profiles_the_encoder_in_every_stage(
    model: Architecture, version: str, *, everywhere: bool
) -> None:
    limits = EngineLimits(1, 32, 8192, 4, profile_for(version).profile.memory)
    blind = model.model_copy(update={"vision_heads": None})
    first, *others = stages_of(model.layers, 4)
    assert activation_bytes(model, limits, first) > activation_bytes(blind, limits, first)
    for stage in others:
        more = activation_bytes(model, limits, stage) > activation_bytes(blind, limits, stage)
        assert more == everywhere


def test_experts_and_latents_leave_buffers_standing() -> None:
    """DeepSeek-V2-Lite, 0.19: 1.93 GiB."""
    lite = SMALL_4.model_copy(
        update={
            "hidden_size": 2048,
            "intermediate_size": 10944,
            "attention_heads": 16,
            "key_value_heads": 16,
            "vocabulary_size": 102400,
            "vision_heads": None,
            "latent_attention": SMALL_4.latent_attention
            and SMALL_4.latent_attention.model_copy(
                update={"kv_lora_rank": 512, "rope_head_dimension": 64}
            ),
            "experts": SMALL_4.experts
            and SMALL_4.experts.model_copy(
                update={"routed": 64, "per_token": 6, "shared": 2, "intermediate_size": 1408}
            ),
        }
    )
    limits = EngineLimits(1, 1024, 8192, terms=profile_for("0.19").profile.memory)
    assert abs(activation_bytes(lite, limits) / GIB - 1.93) < 0.03


@pytest.mark.parametrize("version", ["0.28", "0.29"])
def test_the_second_runner_samples_in_less(version: str) -> None:
    """Logits in 16 bits and in float32; since 0.29 with experts and latent attention, too."""
    terms = profile_for(version).profile.memory
    few, many = (
        activation_bytes(SMALL_4, EngineLimits(1, rows, 8192, terms=terms)) for rows in (2048, 4096)
    )
    each = {"0.28": 14, "0.29": 6}[version]
    assert many - few == each * 2048 * SMALL_4.vocabulary_size


@given(st.sampled_from(EVERY_MODEL), TERMS, st.integers(1, 2048), st.integers(1, 16384))
def test_more_rows_or_tokens_never_peak_lower(
    model: Architecture, terms: object, seqs: int, batched: int
) -> None:
    peaks = [
        activation_bytes(model, EngineLimits(1, rows, tokens, terms=terms))  # type: ignore[arg-type]  # a sampled object
        for rows, tokens in ((seqs, batched), (seqs + 1, batched), (seqs + 1, batched + 1))
    ]
    assert peaks == sorted(peaks)


@given(st.sampled_from(EVERY_MODEL), TERMS, st.sampled_from([1, 2, 4, 8]), st.integers(1, 16384))
def test_more_gpus_never_peak_higher(
    model: Architecture, terms: object, size: int, batched: int
) -> None:
    one, two = (
        activation_bytes(model, EngineLimits(gpus, 32, batched, terms=terms))  # type: ignore[arg-type]  # a sampled object
        for gpus in (size, 2 * size)
    )
    assert two <= one
