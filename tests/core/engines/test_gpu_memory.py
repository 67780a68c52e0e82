"""The memory model: exact cache bytes, and estimates held against measured start-ups."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import (
    EVERY_MODEL,
    LARGE_2,
    LARGE_3,
    MISTRAL_7B,
    SMALL_3,
    SMALL_4,
)

from escadre.api.approval import Architecture
from escadre.core.catalog.shelf import find
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.gpu_memory import (
    batched_tokens,
    effective_utilization,
    fill_gpu,
    key_value_bytes_per_token,
    overhead_bytes,
    overhead_of,
    visible_bytes,
)
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.replicated import replicated_bytes
from escadre.core.engines.weights_memory import weights_bytes
from escadre.core.profile import PROFILES, EngineProfile, profile_for

SIZES = st.sampled_from([1, 2, 4, 8, 16])


@pytest.mark.parametrize(
    ("model", "whole"),
    [
        pytest.param(MISTRAL_7B, 131072, id="7B"),
        pytest.param(SMALL_3, 163840, id="Small 3"),
        pytest.param(LARGE_2, 360448, id="Large 2"),
        pytest.param(SMALL_4, 23040, id="Small 4 (MLA)"),
        pytest.param(LARGE_3, 70272, id="Large 3 (MLA)"),
    ],
)
def test_cache_bytes_per_token_of_the_whole_model(model: Architecture, whole: int) -> None:
    assert key_value_bytes_per_token(model, 1) == whole


def test_cache_is_split_over_key_value_heads_and_then_repeated() -> None:
    assert [key_value_bytes_per_token(SMALL_3, tp) for tp in (2, 4, 8, 16)] == [
        81920,
        40960,
        20480,
        20480,
    ]


def test_latent_cache_is_whole_on_every_gpu() -> None:
    assert {key_value_bytes_per_token(LARGE_3, tp) for tp in (1, 2, 4, 8)} == {70272}


def llama(
    weight_bytes: int, layers: int, hidden: int, ffn: int, vocabulary: int, context: int
) -> Architecture:
    return MISTRAL_7B.model_copy(
        update={
            "weight_bytes": weight_bytes,
            "layers": layers,
            "hidden_size": hidden,
            "intermediate_size": ffn,
            "vocabulary_size": vocabulary,
            "max_context_length": context,
        }
    )


LLAMA_8B = llama(16_060_522_496, 32, 4096, 14336, 128256, 131072)
LLAMA_70B_FP8 = llama(72_680_000_000, 80, 8192, 28672, 128256, 131072)
QWEN_32B = llama(65_524_246_528, 64, 5120, 25600, 151936, 40960)


@pytest.mark.parametrize(
    ("model", "size", "weights", "cache"),
    [
        pytest.param(LLAMA_8B, 1, 14.99, 51.38, id="Llama-3.1-8B"),
        pytest.param(LLAMA_70B_FP8, 2, 33.88, 32.00, id="Llama-3.3-70B-FP8 TP2"),
        pytest.param(QWEN_32B, 1, 61.03, 4.45, id="Qwen3-32B"),
        pytest.param(QWEN_32B, 2, 30.59, 34.49, id="Qwen3-32B TP2"),
    ],
)
def test_estimate_is_below_and_near_what_vllm_measured(
    model: Architecture, size: int, weights: float, cache: float
) -> None:
    """H100 of 79.18 GiB, utilisation 0.90, 1024 sequences, vLLM 0.11 (llm-d-planner's table)."""
    visible = round(79.18 * GIB)
    early = profile_for("0.11").profile.memory
    fill = fill_gpu(model, EngineLimits(size, 1024, 8192, terms=early), visible, 90)
    assert 0 <= round(fill.weights_bytes / GIB - weights, 2) < 0.2
    assert 0 <= cache - fill.cache_bytes / GIB < 1.5


@pytest.mark.parametrize(
    ("product", "mebibytes", "measured"),
    [
        ("NVIDIA-H100-80GB-HBM3", 81559, 79.18),
        ("NVIDIA-A100-SXM4-80GB", 81920, 79.15),
        ("NVIDIA-A10", 23028, 21.99),
        ("NVIDIA-GeForce-RTX-5090", 32607, 31.36),
        ("NVIDIA-H200", 143771, 139.8),
        ("NVIDIA-B200", 183359, 178.4),
    ],
)
def test_visible_memory_is_at_most_what_torch_saw(
    product: str, mebibytes: int, measured: float
) -> None:
    estimate = visible_bytes(product, mebibytes * MIB, None) / GIB
    assert measured - 0.3 < estimate <= measured + 0.005


@pytest.mark.parametrize(
    ("product", "total", "reserved", "cuda_total"),
    [
        ("NVIDIA-H100-80GB-HBM3", 85520809984, 503316480, 85017493504),
        ("NVIDIA-H200", 150754820096, 644939776, 150109880320),
    ],
)
def test_what_the_driver_does_not_keep_is_what_cuda_sees(
    product: str, total: int, reserved: int, cuda_total: int
) -> None:
    """NVML's two numbers and cudaMemGetInfo's total of one card, driver 580.159.04."""
    assert visible_bytes(product, total, reserved) == cuda_total
    assert visible_bytes(product, total, None) <= cuda_total  # a guess promises less, never more


@pytest.mark.parametrize(
    ("visible", "percent"),
    [
        pytest.param(22 * GIB, 90, id="24 GB card keeps 2 GiB free"),
        pytest.param(14 * GIB, 85, id="16 GB card keeps 2 GiB free"),
        pytest.param(45 * GIB, 92, id="48 GB card"),
        pytest.param(79 * GIB, 92, id="80 GB card"),
    ],
)
def test_utilization_leaves_small_cards_room_for_graphs(visible: int, percent: int) -> None:
    assert effective_utilization(visible, 92) == percent


def test_utilization_never_exceeds_the_platforms() -> None:
    assert effective_utilization(22 * GIB, 70) == 70


def test_batched_tokens_follow_the_card_and_never_fall_below_the_sequences() -> None:
    assert batched_tokens(79 * GIB, 32) == 8192
    assert batched_tokens(44 * GIB, 32) == 2048
    assert batched_tokens(44 * GIB, 4096) == 4096


@given(st.sampled_from(EVERY_MODEL), SIZES, SIZES)
def test_more_gpus_never_need_more_weights_each(model: Architecture, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert weights_bytes(model, high) <= weights_bytes(model, low)
    assert weights_bytes(model, low) * low >= model.weight_bytes


@given(st.sampled_from(EVERY_MODEL), SIZES, st.integers(1, 4096), st.integers(1, 4096))
def test_more_sequences_never_leave_more_cache(
    model: Architecture, size: int, one: int, other: int
) -> None:
    low, high = sorted((one, other))
    few, many = (
        overhead_bytes(model, EngineLimits(size, seqs, batched_tokens(79 * GIB, seqs)))
        for seqs in (low, high)
    )
    assert few <= many


@pytest.mark.parametrize("model", EVERY_MODEL)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.version)
def test_the_terms_of_the_overhead_add_up(model: Architecture, profile: EngineProfile) -> None:
    for size, seqs, batched in ((1, 1, 2048), (2, 256, 8192), (8, 1024, 16384)):
        limits = EngineLimits(size, seqs, batched, terms=profile.memory)
        terms = overhead_of(model, limits)
        assert terms.non_torch + terms.graphs + terms.activation == terms.total
        assert overhead_bytes(model, limits) == terms.total
        assert min(terms.non_torch, terms.activation) > 0 <= terms.graphs


@pytest.mark.parametrize(
    ("version", "size", "switched", "measured"),
    [
        pytest.param("0.11", 1, True, 0.13, id="one GPU"),
        pytest.param("0.11", 2, True, 0.55, id="two GPUs"),
        pytest.param("0.19", 1, True, 0.27, id="one GPU, 0.19"),
        pytest.param("0.19", 2, True, 2.07, id="two on NVLink switches, 0.19"),
        pytest.param("0.19", 4, True, 2.13, id="four on NVLink switches, 0.19"),
    ],
)
def test_non_torch_memory_is_what_was_measured(
    version: str, size: int, switched: bool, measured: float
) -> None:
    """Sources: core/memoryterms.py."""
    terms = profile_for(version).profile.memory
    limits = EngineLimits(size, 8, 2048, terms=terms, switched=switched)
    assert 0 <= overhead_of(MISTRAL_7B, limits).non_torch / GIB - measured < 0.12


@pytest.mark.parametrize(
    ("version", "dense", "experts"),
    [
        pytest.param("0.20", 0, 0, id="none comes out of the utilisation"),
        pytest.param("0.21", 512 + 80, 512 + 3 * 64, id="the first runner estimates them"),
        pytest.param("0.27", 512, 512 + 3 * 64, id="the second, which dense models have, does not"),
        pytest.param("0.29", 512 + 80, 512 + 3 * 64, id="both runners estimate them"),
    ],
)
def test_graphs_count_from_the_version_on_that_estimates_them(
    version: str, dense: int, experts: int
) -> None:
    limits = EngineLimits(1, 32, 8192, terms=profile_for(version).profile.memory)
    assert overhead_of(MISTRAL_7B, limits).graphs == dense * MIB
    assert overhead_of(SMALL_4, limits).graphs == experts * MIB


@pytest.mark.parametrize("batched", [2048, 4096])
@pytest.mark.parametrize(
    ("version", "switched", "least", "most"),
    [
        pytest.param("0.20", False, 1.0, 1.5, id="before graphs came out of the utilisation"),
        pytest.param("0.32", False, 1.0, 1.8, id="with graphs"),
        pytest.param("0.32", True, 2.6, 3.3, id="with what NVLink switches bring"),
    ],
)
def test_few_sequences_take_little_beside_weights_and_cache(
    version: str, batched: int, least: float, most: float, *, switched: bool
) -> None:
    """Mistral Small 4 on two cards, two sequences; a public log has "about 1 GiB" across PCIe.

    Not less is promised: published start-ups have 0.54 and 0.55 GiB outside torch on two GPUs
    (2.06 to 2.08 on switches), vLLM's estimates of graphs for one to sixteen tokens are 0.09 to
    0.61 GiB, and its layers up-project the latents of 65,536 tokens in 0.38 GiB.
    """
    entry = find("mistral-small-4-119b-2603")
    assert entry is not None
    assert entry.architecture is not None
    terms = profile_for(version).profile.memory
    limits = EngineLimits(2, 2, batched, terms=terms, switched=switched)
    assert least < overhead_bytes(entry.architecture, limits) / GIB < most


def test_the_dimensions_of_latents_count_as_they_are() -> None:
    """Keys of 64 and values of 128, as Mistral Small 4 has them."""
    known = SMALL_4.latent_attention
    assert known is not None
    wide = SMALL_4.model_copy(update={"head_dimension": 64, "vision_heads": None})
    split = known.model_copy(update={"value_head_dimension": 128, "query_rank": 1024})
    told = wide.model_copy(update={"latent_attention": split})
    limits = EngineLimits(1, 1, 2048)
    more = overhead_bytes(told, limits) - overhead_bytes(wide, limits)
    assert more == 2 * 65536 * 32 * (128 - 64)
    held = weights_bytes(told, 1) - weights_bytes(wide, 1)
    assert held == 2 * 36 * 32 * (128 - 64) * known.kv_lora_rank
    assert replicated_bytes(told) == replicated_bytes(wide)  # 1,024 is a quarter of the width
