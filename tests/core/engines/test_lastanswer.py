"""core/engines/lastanswer.py: how long a replica that leaves may finish its answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT
from tests.core.shapes import EVERY_MODEL, MISTRAL_7B, SMALL_3

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.core.engines.lastanswer import (
    LEAST_SECONDS,
    MOST_SECONDS,
    drain_seconds,
    speed_in,
)


def layout(context: int, running: int = 32, product: str = LAYOUT.product) -> Layout:
    update = {"max_model_len": context, "max_num_seqs": running, "product": product}
    return LAYOUT.model_copy(update=update)


@pytest.mark.parametrize(
    ("chosen", "given_layout", "model", "seconds"),
    [
        pytest.param(15, layout(131072), SMALL_3, 15, id="the platform chose"),
        pytest.param(3600, layout(4096), SMALL_3, 3600, id="also more"),
        pytest.param(None, None, SMALL_3, LEAST_SECONDS, id="no layout"),
        pytest.param(None, layout(131072), None, LEAST_SECONDS, id="no model"),
        pytest.param(None, layout(4096), SMALL_3, LEAST_SECONDS, id="answers are short"),
        pytest.param(None, layout(131072), SMALL_3, MOST_SECONDS, id="answers are long"),
    ],
)
def test_how_long(
    chosen: int | None, given_layout: Layout | None, model: Architecture | None, seconds: int
) -> None:
    assert drain_seconds(chosen, given_layout, model) == seconds


def test_an_answer_of_the_whole_context_is_finished_in_a_full_batch() -> None:
    wide = layout(32768)
    step = speed_in(wide, SMALL_3).decode.seconds(32, wide.capacity.key_value_tokens)
    assert LEAST_SECONDS < 32768 * step < MOST_SECONDS, "else the case shows nothing"
    assert 0 <= drain_seconds(None, wide, SMALL_3) - 32768 * step < 1


@given(
    st.sampled_from(EVERY_MODEL),
    st.integers(1, 1 << 20),
    st.integers(1, 1 << 20),
    st.sampled_from([LAYOUT.product, "NVIDIA-L40S", "Tesla-T4", "a card that nobody knows"]),
)
def test_a_longer_context_is_waited_for_no_shorter_and_never_beyond_the_bounds(
    model: Architecture, context: int, more: int, product: str
) -> None:
    one = drain_seconds(None, layout(context, product=product), model)
    other = drain_seconds(None, layout(context + more, product=product), model)
    assert LEAST_SECONDS <= one <= other <= MOST_SECONDS


def test_a_faster_card_needs_no_longer() -> None:
    slow, fast = layout(8192, product="Tesla-T4"), layout(8192)
    assert drain_seconds(None, fast, MISTRAL_7B) <= drain_seconds(None, slow, MISTRAL_7B)
