"""A tokenizer.json as the tokenizers library needs it."""

import pytest

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.tokenizerjson import check_tokenizer_json


@pytest.mark.parametrize(
    ("document", "says"),
    [
        pytest.param({}, "model is missing", id="nothing"),
        pytest.param({"model": None}, "model is missing", id="null"),
        pytest.param({"model": [1]}, r"model is no object: \[1\]", id="a list"),
        pytest.param({"model": {"type": "BPE"}}, "model: vocab is null", id="no vocabulary"),
        pytest.param({"model": {"vocab": {}}}, "model: vocab is {}", id="no token"),
        pytest.param({"model": {"vocab": "a"}}, 'model: vocab is "a"', id="a text"),
    ],
)
def test_what_describes_no_model_is_refused(document: dict[str, object], says: str) -> None:
    with pytest.raises(IntakeError, match=rf"^tokenizer\.json: {says}"):
        check_tokenizer_json(document)


@pytest.mark.parametrize("vocabulary", [{"a": 0}, [["a", -1.0]]])
def test_a_vocabulary_of_any_kind_passes(vocabulary: object) -> None:
    check_tokenizer_json({"model": {"vocab": vocabulary}})
