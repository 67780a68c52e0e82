"""The formula of llm-d's autoscaler, on the examples of its documentation."""

from dataclasses import replace

import pytest
from e2e.bench.autoscale.peers.wva import Load, Variant, WorkloadVariant, derived_capacity

from escadre.core.engines.speed import DecodeStep, Speed
from escadre.core.simulation.replica import ReplicaModel

MODEL = ReplicaModel(
    speed=Speed(10_000.0, DecodeStep(0.02, 0.0001, 0.0)),
    cache_blocks=10_000,  # 160,000 tokens
    max_num_seqs=256,
    max_num_batched_tokens=4096,
    max_model_len=32_768,
    gpus=1,
)
K1 = 128_000  # four fifths of them


@pytest.fixture
def variant() -> Variant:
    return Variant(WorkloadVariant(), MODEL)


@pytest.mark.parametrize(
    ("batched", "sequences", "prompt", "answer", "capacity"),
    [
        pytest.param(4096, 256, 500, 100, 140_800, id="as many sequences as there may be"),
        pytest.param(8192, 64, 100, 200, 12_800, id="the bound on sequences holds"),
        pytest.param(2048, 1024, 3000, 100, 201_496, id="the batch bounds: 66.06 of 3,050 tokens"),
        pytest.param(8192, 256, 500, 0, 0, id="nothing was answered yet"),
    ],
)
def test_the_capacity_derived_from_the_engine_s_flags(
    batched: int, sequences: int, prompt: float, answer: float, capacity: int
) -> None:
    model = replace(MODEL, max_num_batched_tokens=batched, max_num_seqs=sequences)
    assert derived_capacity(model, prompt, answer) == capacity


def test_before_anything_was_answered_four_fifths_of_the_cache_are_the_capacity(
    variant: Variant,
) -> None:
    variant.wanted([Load(1000, 0)], 1, 0)
    assert variant.capacity == K1


def test_what_was_in_use_while_five_waited_is_the_capacity_and_is_remembered(
    variant: Variant,
) -> None:
    variant.wanted([Load(40_000, 5, 500, 100)], 1, 0)
    assert variant.capacity == 40_000
    variant.wanted([Load(50_000, 9, 500, 100)], 1, 0)
    variant.wanted([Load(1000, 0, 500, 100)], 1, 0)
    assert variant.capacity == 45_000
    variant.wanted([Load(1000, 0, 500, 99)], 1, 0)  # answers of another length
    assert variant.capacity == K1


def test_the_median_replica_is_what_each_is_held_to_do(variant: Variant) -> None:
    loads = [Load(10_000, 5), Load(20_000, 5), Load(1000, 0)]
    variant.wanted(loads, 3, 0)
    assert variant.capacity == 15_000  # 10,000, 20,000, and the mean of both


@pytest.mark.parametrize(
    ("in_use", "existing", "loading", "wanted"),
    [
        pytest.param(100_000, 1, 0, 1, id="100,000 / 0.85 is less than 128,000"),
        pytest.param(120_000, 1, 0, 2, id="120,000 / 0.85 is more"),
        pytest.param(120_000, 2, 1, 2, id="one that loads is supply"),
        pytest.param(50_000, 2, 0, 1, id="128,000 of 256,000 are spare at 50,000 / 0.70"),
        pytest.param(100_000, 2, 0, 2, id="113,143 spare are less than a replica"),
        pytest.param(0, 3, 0, 1, id="one stays"),
        pytest.param(0, 3, 2, 2, id="what loads is no supply to take away from"),
    ],
)
def test_required_above_0_85_and_spare_below_0_70(
    variant: Variant, in_use: int, existing: int, loading: int, wanted: int
) -> None:
    ready = existing - loading
    loads = [Load(in_use // ready, 0)] * ready
    assert variant.wanted(loads, existing, loading) == wanted


def test_prompts_that_wait_are_demand(variant: Variant) -> None:
    assert variant.wanted([Load(100_000, 4, 10_000, 100)], 1, 0) == 2


def test_without_a_replica_that_tells_anything_the_number_stays(variant: Variant) -> None:
    assert variant.wanted([], 3, 3) == 3
