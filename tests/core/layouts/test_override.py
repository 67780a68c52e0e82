"""spec.layout: obeyed when it is legal, refused with the reason when it is not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import A100, EVERY_MODEL, H100, L40S, LARGE_2, MISTRAL_7B, SMALL_3

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.api.deployment import Objective
from escadre.core.facts.model import Wish
from escadre.core.layouts.search import GPUProduct, LayoutDecision, plan_layout

EVERY = (A100, H100, L40S)
HEARING = MISTRAL_7B.model_copy(update={"audio_heads": 20})


def decided(model: Architecture, wish: Wish, *products: GPUProduct) -> LayoutDecision:
    return plan_layout(model, wish, products or EVERY, 92)


@pytest.mark.parametrize(
    ("model", "wish", "summary", "instead"),
    [
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product=H100.name),
            "1×H100 tp1",
            "1×A100-80GB tp1",
            id="another product",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product=H100.name, tensor_parallel_size=4),
            "4×H100 tp4",
            "1×A100-80GB tp1",
            id="more GPUs than needed",
        ),
        pytest.param(
            MISTRAL_7B,
            Wish(32768, 8, tensor_parallel_size=2),
            "2×L40S tp2",
            "1×L40S tp1",
            id="the planner chooses the product",
        ),
        pytest.param(
            LARGE_2,
            Wish(32768, 4, product=H100.name, tensor_parallel_size=2),
            "4×H100 tp2 pp2",
            "4×A100-80GB tp4",
            id="the planner chooses the stages",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 8, product=H100.name, pipeline_parallel_size=3),
            "3×H100 tp1 pp3",
            "1×A100-80GB tp1",
            id="stages that the planner would not choose",
        ),
        pytest.param(
            MISTRAL_7B,
            Wish(32768, 8, tensor_parallel_size=1, pipeline_parallel_size=1),
            "1×L40S tp1",
            "1×L40S tp1",
            id="what it would have chosen anyway",
        ),
    ],
)
def test_it_is_obeyed_and_says_what_would_have_been(
    model: Architecture, wish: Wish, summary: str, instead: str
) -> None:
    decision = decided(model, wish)
    assert decision.layout is not None, decision.message
    assert (decision.layout.summary, decision.without_override) == (summary, instead)


@pytest.mark.parametrize(
    ("model", "wish", "words"),
    [
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product=H100.name, tensor_parallel_size=3),
            "spec.layout asks for tp3 on NVIDIA-H100-80GB-HBM3; NVIDIA-H100-80GB-HBM3 tp3: 32 "
            "attention heads do not divide by 3; without spec.layout it would be 1×A100-80GB tp1",
            id="not legal",
        ),
        pytest.param(
            LARGE_2,
            Wish(
                32768,
                4,
                product=H100.name,
                tensor_parallel_size=2,
                pipeline_parallel_size=1,
            ),
            "asks for tp2 pp1 on NVIDIA-H100-80GB-HBM3; NVIDIA-H100-80GB-HBM3 tp2: each GPU would "
            "hold 122.8 GB of weights",
            id="too small for the weights",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product=L40S.name, tensor_parallel_size=8),
            "8 GPUs on one node would hold it; the largest node with NVIDIA-L40S has 4",
            id="larger than a node",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product=H100.name, tensor_parallel_size=24),
            "32 attention heads do not divide by 24",
            id="larger than a node and not legal",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 8, product=H100.name, pipeline_parallel_size=41),
            "40 layers are too few for 41 stages",
            id="more stages than layers",
        ),
        pytest.param(
            HEARING,
            Wish(32768, 8, product=H100.name, pipeline_parallel_size=2),
            "a model that hears is planned in one stage, not in 2",
            id="stages of a model that may have none",
        ),
        pytest.param(
            SMALL_3,
            Wish(32768, 32, product="NVIDIA-H200"),
            "asks for NVIDIA-H200, and no node that can serve has that product; there are "
            "NVIDIA-A100-SXM4-80GB, NVIDIA-H100-80GB-HBM3, NVIDIA-L40S",
            id="no such product",
        ),
        pytest.param(
            LARGE_2,
            Wish(32768, 4, product=L40S.name),
            "spec.layout asks for NVIDIA-L40S; NVIDIA-L40S tp1: each GPU would hold",
            id="a product alone",
        ),
        pytest.param(
            MISTRAL_7B,
            Wish(32768, 8, tensor_parallel_size=16, pipeline_parallel_size=8),
            "asks for tp16 pp8: 128 GPUs, and a replica has 64 at most; without spec.layout it "
            "would be 1×L40S tp1",
            id="more GPUs than any replica has",
        ),
    ],
)
def test_it_is_refused_with_the_reason(model: Architecture, wish: Wish, words: str) -> None:
    decision = decided(model, wish)
    assert decision.layout is None
    assert decision.reason == reasons.LAYOUT_OVERRIDE_REFUSED
    assert words in decision.message
    assert decision.without_override == decided(model, wish.unbound).alternatives[0].summary


def test_where_nothing_would_hold_the_wish_there_is_no_other_plan() -> None:
    wish = Wish(131072, 4096, 8192, tensor_parallel_size=2)
    decision = decided(SMALL_3, wish, L40S)
    assert decision.reason == reasons.LAYOUT_OVERRIDE_REFUSED
    assert decision.without_override == "none"
    assert "without spec.layout" not in decision.message


def test_a_wish_that_no_layout_can_hold_is_refused_for_that() -> None:
    decision = decided(MISTRAL_7B, Wish(32769, tensor_parallel_size=2), H100)
    assert decision.reason == reasons.CONTEXT_TOO_LONG


def test_parts_of_a_gpu_are_not_joined_for_it() -> None:
    part = replace(A100, name="NVIDIA-A100-SXM4-80GB-MIG-3g.40gb", memory_bytes=40 << 30)
    decision = decided(MISTRAL_7B, Wish(4096, 1, tensor_parallel_size=2), part)
    assert decision.reason == reasons.LAYOUT_OVERRIDE_REFUSED
    assert "parts of a GPU do not work together" in decision.message


def test_a_wish_without_it_is_the_wish_itself() -> None:
    wish = Wish(32768, 32)
    assert wish.unbound is wish
    assert replace(wish, product=H100.name).unbound == wish
    assert decided(SMALL_3, wish).without_override == ""


@given(
    st.sampled_from(EVERY_MODEL),
    st.integers(1, 131_072),
    st.none() | st.integers(1, 256),
    st.sampled_from(["Throughput", "Latency"]),
)
def test_a_wish_bound_to_what_is_planned_anyway_is_planned_alike(
    model: Architecture, context: int, concurrency: int | None, objective: Objective
) -> None:
    wish = Wish(context, concurrency, objective=objective)
    for layout in decided(model, wish).alternatives:
        bound = replace(
            wish,
            product=layout.product,
            tensor_parallel_size=layout.tensor_parallel_size,
            pipeline_parallel_size=layout.pipeline_parallel_size,
        )
        assert tuple(decided(model, bound).alternatives) == (layout,)
