"""The smallest layout that holds a wish: choices, numbers, refusals, and properties."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import (
    A100,
    B200,
    EVERY_GPU,
    EVERY_MODEL,
    H100,
    H200,
    L4,
    L40S,
    LARGE_2,
    LARGE_3,
    MEDIUM_3,
    MISTRAL_7B,
    MISTRAL_7B_V01,
    SMALL_3,
    T4,
    gpu,
)

from escadre import reasons
from escadre.api.approval import Architecture, Quantization, TensorBytes
from escadre.api.deployment import Layout, Objective
from escadre.core.engines.shape import shape_of
from escadre.core.engines.textonly import without_encoder
from escadre.core.facts.model import Wish
from escadre.core.layouts.search import (
    GPUProduct,
    LayoutDecision,
    every_refusal,
    plan_layout,
)
from escadre.core.layouts.told import short_product
from escadre.core.profile import profile_for


def planned(model: Architecture, wish: Wish, *products: GPUProduct, percent: int = 92) -> Layout:
    decision = plan_layout(model, wish, products, percent)
    assert decision.layout is not None, decision.message
    return decision.layout


@pytest.mark.parametrize(
    ("model", "wish", "products", "summary"),
    [
        pytest.param(
            MISTRAL_7B, Wish(32768), EVERY_GPU, "1×L4 tp1", id="smallest card that holds it"
        ),
        pytest.param(SMALL_3, Wish(32768, 32), (H100,), "1×H100 tp1", id="24B beside 32 x 4096"),
        pytest.param(SMALL_3, Wish(32768, 64), (H100,), "2×H100 tp2", id="more at once, more GPUs"),
        pytest.param(SMALL_3, Wish(32768, 64), (H100, H200), "1×H200 tp1", id="fewest GPUs first"),
        pytest.param(MEDIUM_3, Wish(32768, 16), (A100, H100), "4×H100 tp4", id="native FP8 first"),
        pytest.param(LARGE_3, Wish(32768), EVERY_GPU, "8×H200 tp8", id="675B of FP8"),
        pytest.param(MEDIUM_3, Wish(8192), (L40S,), "4×L40S tp2 pp2", id="stages across PCIe"),
        pytest.param(SMALL_3, Wish(8192), (L40S,), "2×L40S tp2", id="two GPUs need no stages"),
    ],
)
def test_choice(
    model: Architecture, wish: Wish, products: tuple[GPUProduct, ...], summary: str
) -> None:
    assert planned(model, wish, *products).summary == summary


def test_a_model_quantised_in_blocks_is_planned_as_it_is_stored() -> None:
    stored = MEDIUM_3.model_dump(by_alias=True, mode="json") | {
        "quantization": {"method": "fp8", "block": [128, 128]}
    }
    layout = planned(Architecture.model_validate(stored), Wish(32768, 16), A100, H100)
    assert layout.summary == "4×H100 tp4"


def test_the_arithmetic_adds_up_and_is_in_whole_bytes() -> None:
    layout = planned(SMALL_3, Wish(32768, 32, 4096), H100)
    memory = layout.memory
    assert (
        memory.usable_bytes
        == memory.weights_bytes + memory.overhead_bytes + memory.key_value_cache_bytes
    )
    assert memory.usable_bytes == memory.visible_bytes * 92 // 100
    assert layout.capacity.required_tokens == 32 * 4096
    assert layout.capacity.key_value_tokens >= layout.capacity.required_tokens
    assert layout.capacity.full_length_requests == layout.capacity.key_value_tokens // 32768
    assert layout.capacity.typical_requests == layout.capacity.key_value_tokens // 4096
    assert (layout.max_model_len, layout.max_num_seqs) == (32768, 32)
    assert layout.max_num_batched_tokens == 8192


def test_concurrency_defaults_to_what_fits_and_is_the_largest_that_does() -> None:
    layout = planned(SMALL_3, Wish(32768), H100)
    seqs = layout.max_num_seqs
    assert seqs == layout.capacity.typical_requests
    assert layout.typical_tokens == 4096
    same = planned(SMALL_3, Wish(32768, seqs), H100)
    assert same.memory == layout.memory
    assert planned(SMALL_3, Wish(32768, seqs + 1), H100).gpus > layout.gpus


def test_concurrency_defaults_to_256_at_most() -> None:
    assert planned(MISTRAL_7B, Wish(1024), H200).max_num_seqs == 256


def test_typical_tokens_default_to_a_short_context() -> None:
    assert planned(MISTRAL_7B, Wish(1000), H100).typical_tokens == 1000


def test_windows_hold_more_and_the_status_counts_room_in_blocks() -> None:
    wish = Wish(32768, 16, 32768)
    whole, window = planned(MISTRAL_7B, wish, A100), planned(MISTRAL_7B_V01, wish, A100)
    assert (whole.gpus, window.gpus) == (2, 1)
    assert whole.capacity.required_tokens == 16 * 32768
    assert window.capacity.required_tokens == 16 * 16 * 1281  # (4,096 - 1 + 2 × 8,192) / 16, and 1
    assert window.capacity.key_value_tokens >= window.capacity.required_tokens
    assert window.capacity.full_length_requests >= 16


def test_text_only_leaves_out_what_the_encoder_takes_and_no_rule() -> None:
    groups = TensorBytes(
        sharded=SMALL_3.weight_bytes - 900,
        replicated=0,
        embedding=0,
        experts=0,
        encoder_sharded=800,
        encoder_replicated=100,
    )
    model = SMALL_3.model_copy(update={"tensors": groups})
    whole = planned(model, Wish(32768, 8), H100)
    text = planned(model, Wish(32768, 8, text_only=True), H100)
    assert (whole.text_only, text.text_only) == (None, True)
    assert whole.memory.weights_bytes - text.memory.weights_bytes == 900
    assert whole.memory.overhead_bytes > text.memory.overhead_bytes
    odd = model.model_copy(update={"vision_heads": 15})
    sizes = [
        {one.tensor_parallel_size for one in plan_layout(odd, wish, (L4,), 92).rejected}
        for wish in (Wish(32768, 64), Wish(32768, 64, text_only=True))
    ]
    assert sizes[0] == sizes[1], "vLLM makes the encoder before it drops it"


def test_text_only_tries_what_the_text_model_alone_would_try() -> None:
    """Text that two L40S hold together, and nearly fill, with an encoder that they do not."""
    groups = TensorBytes(
        sharded=86_000_000_000,
        replicated=0,
        embedding=0,
        experts=0,
        encoder_sharded=0,
        encoder_replicated=5_000_000_000,
    )
    model = SMALL_3.model_copy(update={"weight_bytes": 91_000_000_000, "tensors": groups})
    tried = every_refusal(model, Wish(32768, 8, text_only=True), (L40S,), 92)
    assert tried == every_refusal(without_encoder(model), Wish(32768, 8), (L40S,), 92)
    assert {(1, 2), (2, 1)} <= {
        (one.tensor_parallel_size, one.pipeline_parallel_size) for one in tried
    }


def test_an_engine_that_cannot_leave_the_encoder_out_is_planned_with_it() -> None:
    wish = Wish(32768, 8, text_only=True)
    for version, left_out in (("0.16", None), ("0.17", True)):
        profile = profile_for(version).profile
        text = plan_layout(SMALL_3, wish, (H100,), 92, profile).alternatives[0]
        assert text.text_only == left_out
        whole = plan_layout(SMALL_3, replace(wish, text_only=False), (H100,), 92, profile)
        assert (text == whole.alternatives[0]) == (left_out is None)


@pytest.mark.parametrize("objective", ["Throughput", "Latency"])
@pytest.mark.parametrize(
    ("gigabytes", "concurrency", "summary"),
    [(119, 8, "2×L40S tp1 pp2"), (188, 64, "4×L40S tp1 pp4"), (90, 8, "2×L40S tp2")],
)
def test_text_only_is_planned_as_the_text_model_alone(
    gigabytes: int, concurrency: int, summary: str, objective: Objective
) -> None:
    """A third of the weights is the encoder: they do not stop the search for other shapes."""
    size = gigabytes * 10**9
    groups = TensorBytes(
        sharded=size - size // 3,
        replicated=0,
        embedding=0,
        experts=0,
        encoder_sharded=size // 3,
        encoder_replicated=0,
    )
    model = SMALL_3.model_copy(update={"weight_bytes": size, "tensors": groups})
    wish = Wish(8192, concurrency, objective=objective)
    text = planned(without_encoder(model), wish, L40S)
    assert text.summary == summary
    whole = planned(model, replace(wish, text_only=True), L40S)
    assert whole.model_copy(update={"text_only": None}) == text


def test_a_model_without_an_encoder_is_planned_as_ever_where_text_only_is_wished() -> None:
    wish = Wish(32768, 8, text_only=True)
    assert planned(MISTRAL_7B, wish, H100) == planned(MISTRAL_7B, Wish(32768, 8), H100)


def test_sequences_raise_the_batch() -> None:
    assert planned(MISTRAL_7B, Wish(1024, 4096, 16), H200).max_num_batched_tokens == 8192
    assert planned(MISTRAL_7B, Wish(1024, 3000, 16), L40S).max_num_batched_tokens == 3000


def test_every_smaller_layout_is_rejected_with_a_reason_and_numbers() -> None:
    decision = plan_layout(LARGE_2, Wish(32768, 16), (H100,), 92)
    assert [(one.tensor_parallel_size, one.reason) for one in decision.rejected] == [
        (1, reasons.WEIGHTS_TOO_LARGE),
        (2, reasons.WEIGHTS_TOO_LARGE),
    ]
    assert decision.layout is not None
    assert decision.layout.summary == "4×H100 tp4"
    assert all(any(char.isdigit() for char in one.message) for one in decision.rejected)


def refused(model: Architecture, wish: Wish, *products: GPUProduct) -> LayoutDecision:
    decision = plan_layout(model, wish, products, 92)
    assert decision.layout is None
    assert decision.reason.listed
    return decision


def test_context_over_the_models() -> None:
    decision = refused(MISTRAL_7B, Wish(32769), H100)
    assert decision.reason == reasons.CONTEXT_TOO_LONG
    assert "contextLength 32,769 is more than the 32,768 tokens" in decision.message


def test_typical_over_context() -> None:
    assert refused(MISTRAL_7B, Wish(4096, 1, 5000), H100).reason == reasons.TYPICAL_TOKENS_TOO_LONG


def test_numbers_that_the_engine_does_not_serve() -> None:
    model = MISTRAL_7B.model_copy(update={"quantization": Quantization(method="bitsandbytes")})
    decision = refused(model, Wish(32768), H100)
    assert decision.reason == reasons.QUANTIZATION_NOT_SERVED
    assert "bitsandbytes, which vLLM 0.32 does not serve" in decision.message
    older = plan_layout(model, Wish(32768), (H100,), 92, profile_for("0.27").profile)
    assert older.reason == reasons.PLANNED


def test_no_gpu_nodes() -> None:
    assert refused(MISTRAL_7B, Wish(4096)).reason == reasons.NO_GPU_NODES


def test_cards_that_the_engine_does_not_run_on_are_refused() -> None:
    decision = refused(MISTRAL_7B, Wish(4096), gpu("Tesla-V100-SXM2-32GB", 32768, (7, 0)))
    assert decision.reason == reasons.NO_LAYOUT_FITS
    assert [one.reason for one in decision.rejected] == [reasons.DTYPE_NOT_SUPPORTED]
    assert "compute capability 7.5" in decision.message


def test_cards_without_bfloat16_serve_in_float16_after_those_with_it() -> None:
    assert planned(MISTRAL_7B, Wish(4096), T4).summary == "2×T4 tp2"
    small = MISTRAL_7B.model_copy(update={"weight_bytes": 6_000_000_000, "layers": 12})
    assert planned(small, Wish(4096), T4, L4).product == L4.name
    assert planned(small, Wish(4096), T4).gpus == 1


def test_a_wish_too_large_says_what_would_fit() -> None:
    decision = refused(SMALL_3, Wish(131072, 256, 8192), L40S)
    assert decision.reason == reasons.NO_LAYOUT_FITS
    assert "2,097,152 tokens" in decision.message
    assert "4×NVIDIA-L40S" in decision.message
    within = int(decision.message.split("enough for concurrency ")[1].split(",")[0])
    assert planned(SMALL_3, Wish(131072, within, 8192), L40S).gpus == 4


def test_a_model_too_large_says_how_many_gpus_would_hold_it() -> None:
    two = replace(H100, node_gpus=2)
    decision = refused(LARGE_2, Wish(32768), two)
    assert [one.reason.name for one in decision.rejected] == [
        "WeightsTooLarge",
        "WeightsTooLarge",
        "NodeTooSmall",
    ]
    assert "4×NVIDIA-H100-80GB-HBM3 on one node would hold it" in decision.message


def test_slices_of_a_gpu_are_never_joined() -> None:
    slices = replace(A100, name="NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", memory_bytes=10 << 30)
    assert {one.tensor_parallel_size for one in refused(SMALL_3, Wish(4096), slices).rejected} == {
        1
    }


@pytest.mark.parametrize(
    ("product", "short"),
    [
        ("NVIDIA-H100-80GB-HBM3", "H100"),
        ("NVIDIA-H100-PCIe", "H100"),
        ("NVIDIA-H100-NVL", "H100-NVL"),
        ("NVIDIA-A100-SXM4-40GB", "A100-40GB"),
        ("Tesla-T4", "T4"),
        ("NVIDIA-L40S", "L40S"),
        ("NVIDIA-GeForce-RTX-4090", "RTX-4090"),
        ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", "RTX-PRO-6000"),
        ("NVIDIA", "NVIDIA"),
    ],
)
def test_short_names(product: str, short: str) -> None:
    assert short_product(product) == short


WISHES = st.builds(
    Wish,
    context_length=st.integers(1, 400_000),
    concurrency=st.none() | st.integers(1, 4096),
    typical_tokens=st.none() | st.integers(1, 100_000),
)
PRODUCTS = st.lists(st.sampled_from(EVERY_GPU), unique=True).map(tuple)


@given(st.sampled_from(EVERY_MODEL), WISHES, PRODUCTS, st.randoms())
def test_any_wish_ends_in_a_layout_that_holds_it_or_in_a_reason(
    model: Architecture, wish: Wish, products: tuple[GPUProduct, ...], random: Random
) -> None:
    decision = plan_layout(model, wish, products, 92)
    shuffled = list(products)
    random.shuffle(shuffled)
    assert plan_layout(model, wish, tuple(shuffled), 92) == decision
    assert len(decision.rejected) <= 32
    assert all(one.reason.listed for one in decision.rejected)
    if decision.layout is None:
        assert decision.reason.listed
        assert decision.message
        return
    for layout in decision.alternatives:
        assert layout.max_model_len == wish.context_length
        assert layout.capacity.full_length_requests >= 1
        assert layout.capacity.typical_requests >= layout.max_num_seqs
        assert layout.capacity.key_value_tokens >= layout.capacity.required_tokens
        assert layout.max_num_batched_tokens >= layout.max_num_seqs
        assert layout.gpus == shape_of(layout).gpus
        assert layout.summary.endswith(shape_of(layout).words)
        assert wish.concurrency in (None, layout.max_num_seqs)
        assert Layout.model_validate_json(layout.model_dump_json(by_alias=True)) == layout


@given(st.sampled_from(EVERY_MODEL), WISHES, st.sampled_from(EVERY_GPU), st.integers(1, 4))
def test_a_smaller_context_never_needs_more_gpus(
    model: Architecture, wish: Wish, product: GPUProduct, divisor: int
) -> None:
    less = replace(wish, context_length=max(wish.context_length // divisor, 1))
    less = replace(less, typical_tokens=less.typical_tokens and min(8, less.context_length))
    more = plan_layout(model, wish, (product, B200), 92).layout
    if more is not None:
        smaller = plan_layout(model, less, (product, B200), 92).layout
        assert smaller is not None
        assert smaller.gpus <= more.gpus
