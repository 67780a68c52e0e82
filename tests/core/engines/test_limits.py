"""Pipeline stages: how a model is cut, and that the tightest speaks for all."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import EVERY_MODEL, MISTRAL_7B

from escadre.api.approval import Architecture, TensorBytes
from escadre.core.engines.amounts import GIB
from escadre.core.engines.gpu_memory import fill_gpu
from escadre.core.engines.limits import WHOLE, EngineLimits, stages_of
from escadre.core.engines.weights_memory import weights_bytes

LLAMA_8B = MISTRAL_7B.model_copy(
    update={
        "weight_bytes": 16_060_522_496,
        "vocabulary_size": 128256,
        "max_context_length": 131072,
    }
)
HEADS = 128256 * 4096 * 2 * 2
READ = TensorBytes(
    sharded=16_060_522_496 - HEADS,
    replicated=0,
    embedding=HEADS,
    experts=0,
    encoder_sharded=0,
    encoder_replicated=0,
)


@pytest.mark.parametrize(
    ("layers", "count", "sizes"),
    [
        pytest.param(32, 4, [8, 8, 8, 8], id="even"),
        pytest.param(40, 3, [13, 14, 13], id="one left over goes before the last"),
        pytest.param(36, 8, [4, 4, 4, 5, 5, 5, 5, 4], id="four left over, backwards"),
        pytest.param(61, 2, [31, 30], id="of two, the first"),
    ],
)
def test_layers_of_each_stage(layers: int, count: int, sizes: list[int]) -> None:
    """As get_pp_indices of vllm/distributed/utils.py cuts them."""
    stages = stages_of(layers, count)
    assert [stage.layers for stage in stages] == sizes
    assert [stage.first for stage in stages] == [True, *[False] * (count - 1)]
    assert [stage.last for stage in stages] == [*[False] * (count - 1), True]


@pytest.mark.parametrize(("count", "measured"), [(2, 7.51), (4, 4.26)])
def test_weights_of_the_first_stage(count: int, measured: float) -> None:
    """Llama 3.1 8B, vLLM 0.19 on H100 (core/memoryterms.py); without headers it is more."""
    first = stages_of(32, count)[0]
    read = LLAMA_8B.model_copy(update={"tensors": READ})
    assert abs(weights_bytes(read, 1, first) / GIB - measured) < 0.05
    assert weights_bytes(read, 1, first) < weights_bytes(LLAMA_8B, 1, first)


@given(st.sampled_from(EVERY_MODEL), st.integers(1, 8), st.integers(1, 64))
def test_stages_hold_all_layers_and_all_weights(model: Architecture, count: int, seqs: int) -> None:
    stages = stages_of(model.layers, count)
    assert sum(stage.layers for stage in stages) == model.layers
    assert sum(weights_bytes(model, 1, stage) for stage in stages) >= model.weight_bytes
    limits = EngineLimits(1, seqs, 2048, count)
    tight = fill_gpu(model, limits, 80 * GIB, Fraction(92))
    assert tight.stage in ({WHOLE} if count == 1 else stages)


@given(st.sampled_from(EVERY_MODEL), st.integers(1, 7), st.integers(1, 64))
def test_more_stages_never_hold_fewer_tokens(model: Architecture, count: int, seqs: int) -> None:
    blocks = [
        fill_gpu(model, EngineLimits(1, seqs, 2048, stages), 80 * GIB, 92).blocks
        for stages in (count, 2 * count)
    ]
    assert blocks == sorted(blocks)
