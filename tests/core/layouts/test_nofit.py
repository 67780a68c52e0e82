"""Why no layout holds a wish: what it needs, what the best has, and offers that are kept."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.core.shapes import (
    A100,
    EVERY_GPU,
    EVERY_MODEL,
    H100,
    H200,
    INTERLEAVED,
    L4,
    L40S,
    LARGE_2,
    MEDIUM_3,
    MISTRAL_7B,
    SMALL_3,
    T4,
)

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.facts.model import Wish
from escadre.core.layouts.search import GPUProduct, LayoutDecision, plan_layout

_OFFER = re.compile(r"(contextLength|typicalTokens|concurrency) ([0-9,]+)")
_FIELDS = {
    "contextLength": "context_length",
    "typicalTokens": "typical_tokens",
    "concurrency": "concurrency",
}


def unfit(model: Architecture, wish: Wish, *products: GPUProduct) -> LayoutDecision:
    decision = plan_layout(model, wish, products, 92)
    assert decision.reason == reasons.NO_LAYOUT_FITS
    return decision


def offers(message: str, wish: Wish) -> list[Wish]:
    """The wishes that the message says there is enough for."""
    _, found, told = message.partition(", enough for ")
    words = told.partition(";")[0].split(", or for ") if found else []
    return [_lowered(wish, one) for one in words]


def _lowered(wish: Wish, words: str) -> Wish:
    for name, number in _OFFER.findall(words):
        field: Any = {_FIELDS[name]: int(number.replace(",", ""))}
        wish = replace(wish, **field)
    return wish


@pytest.mark.parametrize(
    ("model", "wish", "product", "words"),
    [
        pytest.param(
            SMALL_3,
            Wish(131072, 64),
            replace(H100, node_gpus=1),
            "no node holds the cache: 64 requests of 4,096 tokens need 262,144 tokens, and the "
            "most is 164,816, on 1×NVIDIA-H100-80GB-HBM3 tp1, enough for concurrency 40, or for "
            "typicalTokens 2,560; 2×NVIDIA-H100-80GB-HBM3 on one node would hold it, none has so "
            "many",
            id="too-many-at-once",
        ),
        pytest.param(
            MEDIUM_3,
            Wish(262144),
            replace(H200, node_gpus=1),
            "no node holds the cache: one request of 262,144 tokens needs 262,144 tokens, and the "
            "most is 2,400, on 1×NVIDIA-H200 tp1, enough for contextLength 2,400; 2×NVIDIA-H200 "
            "on one node would hold it, none has so many",
            id="too-long",
        ),
        pytest.param(
            MEDIUM_3,
            Wish(262144, 32, 20000),
            replace(H200, node_gpus=1),
            "no node holds the cache: 32 requests of 20,000 tokens need 640,000 tokens, and the "
            "most is 2,176, on 1×NVIDIA-H200 tp1, enough for contextLength 2,176 and typicalTokens "
            "2,176 and concurrency 1; 4×NVIDIA-H200 on one node would hold it, none has so many",
            id="too-long-and-too-many",
        ),
        pytest.param(
            LARGE_2,
            Wish(32768),
            replace(L40S, node_gpus=2),
            "no node holds the weights: on 2×NVIDIA-L40S tp2 each GPU would hold 122.8 GB of "
            "weights and 1.6 GB of overhead, but has 43.9 GB usable; 8×NVIDIA-L40S on one node "
            "would hold it, none has so many",
            id="weights",
        ),
    ],
)
def test_words(model: Architecture, wish: Wish, product: GPUProduct, words: str) -> None:
    assert unfit(model, wish, product).message == words


def test_a_model_that_is_too_large_is_not_said_to_lack_cache() -> None:
    """No shorter context and no fewer requests would help: none is offered."""
    decision = unfit(LARGE_2, Wish(1024, 1), replace(L40S, node_gpus=4), replace(L4, node_gpus=2))
    assert decision.message.startswith("no node holds the weights: on 4×NVIDIA-L40S tp2 pp2 each ")
    assert "tokens" not in decision.message
    assert offers(decision.message, Wish(1024, 1)) == []


def test_the_numbers_are_those_of_the_layout_that_is_named() -> None:
    """Shapes with the same GPUs hold more or less: 4×H100 in four stages more than in one."""
    four = replace(H100, node_gpus=4)
    wish = Wish(32768, 64)
    message = unfit(LARGE_2, wish, four).message
    found = re.search(r"the most is ([0-9,]+), on 4×NVIDIA-H100-80GB-HBM3 tp(\d) pp(\d),", message)
    assert found is not None, message
    (offer, _) = offers(message, wish)
    held = plan_layout(LARGE_2, offer, (four,), 92).layout
    assert held is not None
    bound = replace(
        offer,
        tensor_parallel_size=int(found[2]),
        pipeline_parallel_size=int(found[3]),
    )
    named = plan_layout(LARGE_2, bound, (four,), 92).layout
    assert named is not None
    assert named.capacity.key_value_tokens >= int(found[1].replace(",", ""))


def test_what_bars_every_card_is_said_instead_of_a_cache() -> None:
    old = replace(T4, name="Tesla-V100-SXM2-32GB", compute_capability=(7, 0))
    message = unfit(MISTRAL_7B, Wish(4096), old).message
    assert message.startswith("Tesla-V100-SXM2-32GB: ")
    assert "compute capability 7.5" in message
    assert "tokens" not in message


@given(
    st.sampled_from([*EVERY_MODEL, INTERLEAVED]),
    st.lists(
        st.builds(
            lambda card, gpus: replace(card, node_gpus=gpus),
            st.sampled_from(EVERY_GPU),
            st.sampled_from([1, 2, 4, 8]),
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one.name,
    ),
    st.integers(1, 131072),
    st.none() | st.integers(1, 4096),
    st.none() | st.integers(1, 131072),
)
def test_each_offer_is_kept(
    model: Architecture,
    products: list[GPUProduct],
    context: int,
    concurrency: int | None,
    typical: int | None,
) -> None:
    context = min(context, model.max_context_length)
    wish = Wish(context, concurrency, min(typical, context) if typical else None)
    decision = plan_layout(model, wish, tuple(products), 92)
    assume(decision.reason == reasons.NO_LAYOUT_FITS)
    for offer in offers(decision.message, wish):
        kept = plan_layout(model, offer, tuple(products), 92)
        assert kept.layout is not None, (decision.message, kept.message)


@pytest.mark.parametrize("model", [SMALL_3, INTERLEAVED])
def test_one_more_than_what_is_offered_does_not_fit(model: Architecture) -> None:
    card = replace(A100, node_gpus=1)
    wish = Wish(min(32768, model.max_context_length), 4096)
    (fewer, _) = offers(unfit(model, wish, card).message, wish)
    assert fewer.concurrency is not None
    more = replace(fewer, concurrency=2 * fewer.concurrency)
    assert plan_layout(model, more, (card,), 92).layout is None
