"""What every GPU keeps whole, and what a model weighs without its encoder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import LARGE_3, MISTRAL_7B, SMALL_3

from escadre.api.approval import Architecture, TensorBytes
from escadre.core.engines.replicated import replicated_bytes
from escadre.core.engines.textonly import without_encoder
from escadre.core.engines.weights_memory import weights_bytes

GB = 10**9
_NO_BYTES = TensorBytes(
    sharded=0, replicated=0, embedding=0, experts=0, encoder_sharded=0, encoder_replicated=0
)


def grouped(model: Architecture, **groups: int) -> Architecture:
    """The model, with the rest of its bytes split over the GPUs."""
    rest = model.weight_bytes - sum(groups.values())
    return model.model_copy(
        update={"tensors": _NO_BYTES.model_copy(update={"sharded": rest, **groups})}
    )


def test_the_headers_say_it_where_they_were_read() -> None:
    assert replicated_bytes(grouped(LARGE_3, replicated=3 * GB, encoder_replicated=GB)) == 4 * GB


@pytest.mark.parametrize("model", [MISTRAL_7B, SMALL_3, LARGE_3])
def test_one_gpu_holds_the_same_bytes_with_groups_or_without(model: Architecture) -> None:
    assert weights_bytes(grouped(model, replicated=GB), 1) == weights_bytes(model, 1)


def test_a_whole_byte_more_on_each_gpu_for_each_that_is_not_split() -> None:
    split, whole = grouped(SMALL_3), grouped(SMALL_3, replicated=8 * GB)
    assert weights_bytes(whole, 8) - weights_bytes(split, 8) == 7 * GB


@given(
    replicated=st.integers(0, 10 * GB),
    encoder=st.integers(0, 10 * GB),
    size=st.sampled_from([1, 2, 4, 8]),
)
def test_more_that_is_whole_never_makes_a_gpu_lighter(
    replicated: int, encoder: int, size: int
) -> None:
    less = grouped(SMALL_3, replicated=replicated, encoder_sharded=encoder)
    more = grouped(SMALL_3, replicated=replicated + encoder)
    assert weights_bytes(less, size) <= weights_bytes(more, size)


def test_without_its_encoder_a_model_weighs_what_the_text_model_does() -> None:
    whole = grouped(SMALL_3, replicated=GB, encoder_sharded=4 * GB, encoder_replicated=2 * GB)
    text = without_encoder(whole)
    assert text.weight_bytes == whole.weight_bytes - 6 * GB
    assert text.tensors == grouped(text, replicated=GB).tensors
    assert (text.vision_heads, text.audio_heads) == (None, None)
    assert weights_bytes(whole, 4) - weights_bytes(text, 4) == 3 * GB


def test_an_encoder_that_nobody_weighed_stays_among_the_weights() -> None:
    assert without_encoder(SMALL_3).weight_bytes == SMALL_3.weight_bytes
    assert without_encoder(SMALL_3, 1 * GB).weight_bytes == SMALL_3.weight_bytes - GB
