"""Pipeline stages: which models have them, and what the heaviest holds."""

import pytest
from tests.core.shapes import MISTRAL_7B, SMALL_3

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.stages import check_stages

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
