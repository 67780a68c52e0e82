"""The speed estimate: what must hold of it, whatever the numbers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import EVERY_MODEL, LARGE_2, LARGE_3, MISTRAL_7B, SMALL_4

from escadre.api.approval import Architecture
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import CATALOG, name_of
from escadre.core.engines.cards import CARDS, card_of, cards_named
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.rates import GIGA, NOTHING, SOURCES, TERA, Figure, Rates
from escadre.core.engines.speed import counted_bytes, speed_of

MODELS = st.sampled_from(EVERY_MODEL)
PRODUCTS = st.sampled_from(CARDS)
SIZES = st.sampled_from([1, 2, 4, 8])
RUNNING = st.integers(2, 256)


def rates(product: str) -> Rates:
    (card,) = cards_named(product)
    return card.rates


def step(
    architecture: Architecture, product: str, size: int, running: int, tokens: int = 0
) -> float:
    limits = EngineLimits(size, running, 8192)
    return speed_of(architecture, limits, rates(product)).decode.seconds(running, tokens)


def test_one_sequence_waits_for_the_weights_and_the_kernels() -> None:
    # Mistral 7B on H100: 14.23 GB (no embedding) at 0.9 × 3,350 GB/s; 1.6 ms; 32 × 35 µs; 20 µs,
    # and 14.2 GFLOP at 0.86 × 989 TFLOP/s.
    read = (14_496_047_104 - 2 * 32768 * 4096) / (0.9 * 3350e9)
    assert step(MISTRAL_7B, "NVIDIA-H100-80GB-HBM3", 1, 1) == pytest.approx(
        read + 1.6e-3 + 32 * 35e-6 + 20e-6 + 17e-6, rel=0.01
    )


def test_a_token_of_the_cache_is_read_once_a_step() -> None:
    decode = speed_of(MISTRAL_7B, EngineLimits(2, 8, 8192), rates("NVIDIA-H200")).decode
    assert decode.per_cached_token == pytest.approx(65536 / (0.9 * 4800e9))


@given(MODELS, PRODUCTS, SIZES, st.integers(1, 4), RUNNING)
def test_every_term_is_above_zero(
    architecture: Architecture, card: object, size: int, stages: int, running: int
) -> None:
    limits = EngineLimits(size, running, 8192, stages)
    speed = speed_of(architecture, limits, rates(card.product))  # type: ignore[attr-defined]
    decode = speed.decode
    assert min(decode.fixed, decode.per_running, decode.per_cached_token) > 0
    assert speed.prefill_tokens_per_second > 0


@given(MODELS, SIZES, RUNNING)
def test_a_gpu_that_is_faster_in_everything_is_never_slower(
    architecture: Architecture, size: int, running: int
) -> None:
    slow = rates("NVIDIA-H100-80GB-HBM3")
    fast = replace(slow, **{name: _doubled(slow, name) for name in ("memory", "bits16", "nvlink")})
    limits = EngineLimits(size, running, 8192)
    slower, faster = (speed_of(architecture, limits, one) for one in (slow, fast))
    assert faster.decode.seconds(running, 4096) < slower.decode.seconds(running, 4096)
    assert faster.prefill_tokens_per_second >= slower.prefill_tokens_per_second


def _doubled(one: Rates, name: str) -> Figure:
    figure: Figure = getattr(one, name)
    return replace(figure, value=2 * figure.value)


@pytest.mark.parametrize("architecture", [LARGE_2, LARGE_3], ids=["dense", "experts"])
def test_more_gpus_on_nvlink_decode_a_large_model_faster(architecture: Architecture) -> None:
    steps = [step(architecture, "NVIDIA-H200", size, 8) for size in (1, 2, 4, 8)]
    assert steps == sorted(steps, reverse=True)


def test_across_pcie_stages_read_prompts_faster_than_tensor_parallelism() -> None:
    whole = speed_of(LARGE_2, EngineLimits(8, 8, 2048), rates("NVIDIA-L40S"))
    staged = speed_of(LARGE_2, EngineLimits(1, 8, 2048, 8), rates("NVIDIA-L40S"))
    assert staged.prefill_tokens_per_second > 2 * whole.prefill_tokens_per_second
    assert staged.decode.fixed > whole.decode.fixed


def test_one_sequence_reads_only_the_experts_it_chose() -> None:
    one, many = (step(SMALL_4, "NVIDIA-H200", 1, running) for running in (1, 128))
    everything = SMALL_4.weight_bytes / (0.9 * 4800e9)
    assert one < 0.4 * everything
    assert many > everything


def test_weights_in_eight_bits_compute_as_sixteen_where_the_gpu_has_no_such_cores() -> None:
    assert rates("NVIDIA-A100-SXM4-80GB").arithmetic(8) == 312 * TERA
    assert rates("NVIDIA-H200").arithmetic(8) == 1978 * TERA
    assert rates("NVIDIA-H200").arithmetic(4) == 989 * TERA


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.product)
def test_every_number_of_a_card_has_a_source(card: object) -> None:
    told = rates(card.product)  # type: ignore[attr-defined]
    figures = [getattr(told, name) for name in Rates.__slots__]
    assert all(figure.source in SOURCES for figure in figures)
    assert told.memory.value >= 300 * GIGA
    assert (told.nvlink == NOTHING) == (told.nvlink_domain == NOTHING)


@pytest.mark.parametrize(
    ("product", "mebibytes", "capability", "like"),
    [
        ("NVIDIA-H200", 143771, (9, 0), None),
        ("NVIDIA-RTX-6000-Ada-Generation", 49140, (8, 9), "NVIDIA-L40S"),
        ("NVIDIA-GeForce-RTX-5090", 32607, (12, 0), "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"),
        ("NVIDIA-H100-80GB-HBM2e", 81559, (9, 0), "NVIDIA-H100-80GB-HBM3"),
        ("NVIDIA-A40", 46068, (8, 6), "NVIDIA-A10"),
        ("NVIDIA-FUTURE", 400000, (15, 0), "NVIDIA-GB300"),
    ],
)
def test_a_card_that_is_not_known_is_as_fast_as_the_most_alike(
    product: str, mebibytes: int, capability: tuple[int, int], like: str | None
) -> None:
    card = card_of(product, mebibytes, capability)
    assert card.derived_from == like
    assert card.mebibytes == mebibytes
    assert card.rates == rates(like or product)


@pytest.mark.parametrize("entry", [one for one in CATALOG if one.architecture], ids=name_of)
def test_the_dimensions_of_every_published_model_count_its_bytes(entry: Entry) -> None:
    """Encoders, embeddings and scales are beside it; of latent attention a part is no fact."""
    assert entry.architecture is not None
    assert 0.7 < counted_bytes(entry.architecture) / entry.architecture.weight_bytes < 1.05
