"""Pipeline stages: which models have them, and what the heaviest holds."""

import pytest
from tests.core.shapes import EVERY_MODEL, LARGE_2, MISTRAL_7B, SMALL_3

from escadre import reasons
from escadre.api.approval import Architecture, TensorBytes
from escadre.core.engines.gpu_memory import GIB
from escadre.core.engines.stages import check_stages, heaviest_stage

LLAMA_8B = MISTRAL_7B.model_copy(
    update={"weight_bytes": 16_060_522_496, "vocabulary_size": 128_256}
)


@pytest.mark.parametrize(
    ("model", "stages", "words"),
    [
        pytest.param(SMALL_3, 1, None, id="one stage is none"),
        pytest.param(SMALL_3, 40, None, id="a stage for each layer"),
        pytest.param(SMALL_3, 41, "40 layers are too few for 41 stages", id="too many"),
        pytest.param(
            SMALL_3.model_copy(update={"audio_heads": 20}), 2, "one stage, not in 2", id="audio"
        ),
        pytest.param(
            SMALL_3.model_copy(update={"audio_heads": 20}), 1, None, id="audio in one stage"
        ),
    ],
)
def test_legality(model: Architecture, stages: int, words: str | None) -> None:
    refusal = check_stages(model, stages)
    assert (refusal is None) == (words is None)
    if refusal is not None and words is not None:
        assert refusal.reason == reasons.PIPELINE_NOT_SUPPORTED
        assert words in refusal.message


def test_the_heaviest_stage_of_a_measured_model() -> None:
    # vLLM 0.19: 3.77 GiB on each of four tensor parallel GPUs, first and last of four stages +12 %.
    stage = heaviest_stage(LLAMA_8B, 4)
    measured = 3.77 * 1.12
    assert measured <= stage.weight_bytes / GIB <= 1.08 * measured
    assert stage.layers == 8


@pytest.mark.parametrize(("stages", "layers"), [(1, 88), (2, 44), (3, 30), (5, 18), (88, 1)])
def test_layers_that_do_not_divide_count_upwards(stages: int, layers: int) -> None:
    assert heaviest_stage(LARGE_2, stages).layers == layers


@pytest.mark.parametrize("model", EVERY_MODEL)
@pytest.mark.parametrize("stages", range(1, 9))
def test_all_stages_together_hold_the_model(model: Architecture, stages: int) -> None:
    stage = heaviest_stage(model, stages)
    assert stages * stage.weight_bytes >= model.weight_bytes
    assert stage.weight_bytes <= model.weight_bytes
    if stages > 1:
        assert stage.weight_bytes <= heaviest_stage(model, stages - 1).weight_bytes


def test_headers_that_were_read_tell_embedding_from_head() -> None:
    embedding = 2 * 2 * 128_256 * 4096
    groups = TensorBytes(
        sharded=LLAMA_8B.weight_bytes - embedding - 500_000,
        replicated=500_000,
        embedding=embedding,
        experts=0,
        encoder_sharded=0,
        encoder_replicated=0,
    )
    stage = heaviest_stage(LLAMA_8B.model_copy(update={"tensors": groups}), 4)
    assert stage.weight_bytes / GIB == pytest.approx(3.77 * 1.12, rel=0.01)
    assert stage.tensors is not None
    assert stage.tensors.replicated == 125_000
    assert stage.tensors.embedding == embedding // 2


def test_an_encoder_stays_whole_in_its_stage() -> None:
    groups = TensorBytes(
        sharded=46_000_000_000,
        replicated=20_000_000,
        embedding=1_100_000_000,
        experts=0,
        encoder_sharded=800_000_000,
        encoder_replicated=102_792_280,
    )
    stage = heaviest_stage(SMALL_3.model_copy(update={"tensors": groups}), 2)
    assert stage.weight_bytes == 23_010_000_000 + 1_100_000_000 + 902_792_280
