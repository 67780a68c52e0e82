"""One layout filled by hand: as the search would plan it, and monotone where engines are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import EVERY_GPU, EVERY_MODEL, H100, LARGE_2, MISTRAL_7B_V01, SMALL_3

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.amounts import GIB
from escadre.core.engines.cards import may_be_switched
from escadre.core.engines.gpu_memory import batched_tokens, visible_bytes
from escadre.core.engines.legality import check_size
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import GPUProduct
from escadre.core.layouts.estimate import Filled, Launch, estimate
from escadre.core.layouts.search import plan_layout


@st.composite
def odd_models(draw: st.DrawFn) -> Architecture:
    """A published model with sizes that none has, larger than what each GPU more costs."""
    like = draw(st.sampled_from(EVERY_MODEL))
    heads = draw(st.sampled_from([8, 12, 20, 24, 36, 40, 48, 96, 128]))
    odd = {
        "attention_heads": heads,
        "key_value_heads": draw(st.sampled_from([1, 2, 3, 4, 6, 8, heads])),
        "head_dimension": draw(st.sampled_from([64, 80, 128])),
        "hidden_size": draw(st.sampled_from([1024, 2880, 4096, 7168])),
        "intermediate_size": draw(st.sampled_from([1001, 8960, 14336, 28672])),
        "layers": draw(st.integers(1, 96)),
        "vocabulary_size": draw(st.integers(1000, 300_000)),
        "weight_bytes": draw(st.integers(10**10, 10**12)),
    }
    return like.model_copy(update=odd)


MODELS = st.sampled_from(EVERY_MODEL) | odd_models()
GPUS = st.sampled_from(EVERY_GPU)


def seen(gpu: GPUProduct) -> int:
    return visible_bytes(gpu.name, gpu.memory_bytes, gpu.reserved_bytes)


def launch(
    size: int, visible: int, context: int = 8192, seqs: int = 8, percent: int = 92
) -> Launch:
    limits = EngineLimits(size, seqs, batched_tokens(visible, seqs))
    return Launch(limits, context, visible, Fraction(percent, 100))


def filled(architecture: Architecture, what: Launch) -> Filled:
    found = estimate(architecture, what).filled
    assert found is not None
    return found


@pytest.mark.parametrize("gpu", EVERY_GPU, ids=lambda gpu: gpu.name)
@pytest.mark.parametrize("model", EVERY_MODEL)
def test_it_says_of_a_planned_layout_what_the_plan_says(
    model: Architecture, gpu: GPUProduct
) -> None:
    plan = plan_layout(model, Wish(context_length=16384, concurrency=4), (gpu,), 92).layout
    if plan is None:
        return
    limits = EngineLimits(
        plan.tensor_parallel_size,
        plan.max_num_seqs,
        plan.max_num_batched_tokens,
        plan.pipeline_parallel_size,
        switched=may_be_switched(gpu.name),
    )
    share = Fraction(plan.gpu_memory_utilization_percent, 100)
    found = estimate(
        model,
        Launch(
            limits,
            plan.max_model_len,
            seen(gpu),
            share,
        ),
    )
    assert found.refusal is None
    assert found.filled is not None
    fill, memory = found.filled.fill, plan.memory
    assert (fill.usable_bytes, fill.weights_bytes) == (memory.usable_bytes, memory.weights_bytes)
    assert fill.overhead_bytes == found.filled.overhead.total == memory.overhead_bytes
    assert fill.cache_bytes == memory.key_value_cache_bytes
    assert found.filled.fill.blocks * BLOCK_TOKENS == plan.capacity.key_value_tokens
    assert int(found.filled.concurrency) == plan.capacity.full_length_requests


@given(MODELS, GPUS, st.integers(1, 96), st.integers(1, 1 << 20), st.integers(1, 1024))
def test_there_is_an_estimate_of_each_legal_size_and_of_no_other(
    model: Architecture, gpu: GPUProduct, size: int, context: int, seqs: int
) -> None:
    what = launch(size, seen(gpu), context, seqs)
    found = estimate(model, what)
    assert found == estimate(model, what)
    assert (found.filled is None) == (check_size(model, size) is not None)
    if found.filled is not None:
        assert (found.refusal is None) == (context <= found.filled.longest)
        assert 0 <= found.filled.longest <= model.max_context_length


@given(MODELS, GPUS, st.integers(1, 256))
def test_more_gpus_never_leave_a_replica_less_cache(
    model: Architecture, gpu: GPUProduct, seqs: int
) -> None:
    """Once it fits at all; more of the same GPU, in all sizes that are legal."""
    sizes = [size for size in range(1, 97) if check_size(model, size) is None]
    fills = [filled(model, launch(size, seen(gpu), seqs=seqs)) for size in sizes]
    tokens = [one.key_value_tokens for one in fills]
    assert tokens == sorted(tokens)
    caches = [size * max(0, one.fill.cache_bytes) for size, one in zip(sizes, fills, strict=True)]
    assert caches == sorted(caches)


@given(st.sampled_from(EVERY_MODEL), st.integers(16, 300), st.integers(1, 64), st.integers(50, 99))
def test_more_memory_and_more_utilisation_never_hold_less(
    model: Architecture, gibibytes: int, more: int, percent: int
) -> None:
    limits = EngineLimits(8, 8, 2048)
    longest = [
        filled(model, Launch(limits, 8192, each * GIB, Fraction(share, 100))).longest
        for each, share in ((gibibytes, percent), (gibibytes + more, percent + 1))
    ]
    assert longest == sorted(longest)


def test_with_windows_the_tokens_are_those_of_requests_of_that_length() -> None:
    found = filled(MISTRAL_7B_V01, launch(1, seen(H100), context=32768))
    assert found.fill.groups.blocks_for(32768) == (4096 - 1 + 2 * 8192 + 15) // 16 + 1
    assert found.key_value_tokens == int(found.concurrency * 32768)
    assert found.longest == MISTRAL_7B_V01.max_context_length


def test_the_longest_that_fits_fits_and_one_block_more_does_not() -> None:
    visible = 60 * GIB
    longest = filled(SMALL_3, launch(1, visible)).longest
    assert 8192 < longest < SMALL_3.max_context_length
    assert estimate(SMALL_3, launch(1, visible, longest)).refusal is None
    refusal = estimate(SMALL_3, launch(1, visible, longest + 1)).refusal
    assert refusal is not None
    assert refusal.reason is reasons.CACHE_TOO_SMALL


@pytest.mark.parametrize(
    ("model", "what", "reason"),
    [
        (SMALL_3, launch(1, 80 * GIB, 131073), reasons.CONTEXT_TOO_LONG),
        (LARGE_2, launch(1, 80 * GIB), reasons.WEIGHTS_TOO_LARGE),
        (LARGE_2, launch(3, 80 * GIB), reasons.VOCABULARY_NOT_DIVISIBLE),
        (SMALL_3, launch(32, seen(H100)), reasons.HEADS_NOT_DIVISIBLE),
    ],
)
def test_why_an_engine_would_not_start(
    model: Architecture, what: Launch, reason: reasons.Reason
) -> None:
    refusal = estimate(model, what).refusal
    assert refusal is not None
    assert refusal.reason is reason
