"""The cache of layers with a window, as vLLM counts it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import LARGE_3, MISTRAL_7B

from escadre.api.approval import Architecture
from escadre.core.engines.gpu_memory import fill_gpu, key_value_bytes_per_token
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.windows import CacheGroups, cache_groups
from escadre.core.weights.reading import Part
from escadre.core.weights.windows import huggingface_window

VISIBLE = 80 << 30


def windowed(layers: int, pattern: str, tokens: int) -> Architecture:
    """F: a layer that sees all tokens, w: one with a window."""
    kinds = (pattern * layers)[:layers]
    types = ["full_attention" if kind == "F" else "sliding_attention" for kind in kinds]
    text = Part("config.json", {"sliding_window": tokens, "layer_types": types})
    window = huggingface_window(text, "ministral", layers)
    return MISTRAL_7B.model_copy(update={"layers": layers, "sliding_window": window})


@pytest.mark.parametrize(
    ("layers", "pattern", "tokens", "flight", "length", "in_group", "blocks"),
    [  # what the functions of vLLM 0.32.0 answer, v1/core/kv_cache_utils.py
        (32, "w", 4096, 4096, 1000, 32, 64),
        (32, "w", 4096, 16384, 131072, 32, 1281),
        (36, "Fwww", 32768, 4096, 1000, 9, 255),
        (36, "Fwww", 32768, 16384, 131072, 9, 17411),
        (36, "wwwF", 4096, 4096, 1000, 9, 255),
        (36, "wwwF", 4096, 16384, 131072, 9, 12035),
        (40, "Fw", 4096, 4096, 1000, 20, 127),
        (40, "Fw", 4096, 16384, 131072, 20, 9473),
        (24, "FFw", 1024, 4096, 1000, 8, 190),
        (24, "FFw", 1024, 16384, 131072, 8, 17473),
        (30, "FFwww", 512, 4096, 1000, 12, 191),
        (30, "FFwww", 512, 16384, 131072, 12, 10306),
        (36, "wwwwwwwwwwwwwwwwwwFFFFFFFFFFFFFFFFFF", 4096, 4096, 1000, 18, 127),
        (36, "wwwwwwwwwwwwwwwwwwFFFFFFFFFFFFFFFFFF", 4096, 16384, 131072, 18, 9473),
        (25, "FwFww", 128, 4096, 1000, 10, 191),
        (25, "FwFww", 128, 16384, 131072, 10, 10258),
        (22, "FFFFFFFFFFwwwwwwwwwwww", 256, 4096, 1000, 12, 127),
        (22, "FFFFFFFFFFwwwwwwwwwwww", 256, 16384, 131072, 12, 9233),
    ],
)
def test_layers_of_a_group_and_blocks_of_a_request_are_those_of_vllm(
    layers: int, pattern: str, tokens: int, flight: int, length: int, in_group: int, blocks: int
) -> None:
    groups = cache_groups(windowed(layers, pattern, tokens), flight)
    assert (groups.layers, groups.blocks_for(length)) == (in_group, blocks)


def test_without_a_window_a_block_is_for_all_layers() -> None:
    assert cache_groups(MISTRAL_7B, 4096) == CacheGroups(32)
    assert CacheGroups(32).blocks_for(33) == 3


def test_layers_with_latents_keep_no_window() -> None:
    window = windowed(32, "w", 4096).sliding_window
    model = LARGE_3.model_copy(update={"sliding_window": window})
    assert cache_groups(model, 4096) == CacheGroups(61)


@given(
    pattern=st.text("Fw", min_size=1, max_size=6),
    repeats=st.integers(1, 12),
    tokens=st.integers(1, 1 << 16),
    flight=st.integers(1, 1 << 15),
    length=st.integers(1, 1 << 18),
)
def test_a_longer_request_never_takes_less_and_the_longest_is_the_longest(
    pattern: str, repeats: int, tokens: int, flight: int, length: int
) -> None:
    groups = cache_groups(windowed(repeats * len(pattern), pattern, tokens), flight)
    blocks = groups.blocks_for(length)
    assert blocks <= groups.blocks_for(length + 1)
    longest = groups.longest(blocks, 1 << 18)
    assert longest >= length
    assert groups.blocks_for(longest) <= blocks
    assert longest == 1 << 18 or groups.blocks_for(longest + 1) > blocks


def test_a_window_holds_more_long_requests_of_the_same_memory() -> None:
    limits = EngineLimits(1, 8, 2048)
    whole = fill_gpu(MISTRAL_7B, limits, VISIBLE, 90)
    window = fill_gpu(windowed(32, "w", 4096), limits, VISIBLE, 90)
    mixed = fill_gpu(windowed(32, "Fwww", 4096), limits, VISIBLE, 90)
    held = [one.blocks // one.groups.blocks_for(32768) for one in (whole, mixed, window)]
    assert held == sorted(held)
    assert held[0] < held[1] < held[2]
    assert whole.cache_bytes == window.cache_bytes == mixed.cache_bytes
    assert window.bytes_per_token == key_value_bytes_per_token(MISTRAL_7B, 1)
    assert mixed.bytes_per_token * 4 == window.bytes_per_token, "a block is for eight layers"
