"""Configuration files as their loaders read them."""

import json

import pytest

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.jsonfiles import check_json
from escadre.core.weights.reading import Part


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"auto_map": {"AutoModel": "x.Y"}}, id="auto_map"),
        pytest.param({"vision_config": {"auto_map": {}}}, id="nested"),
        pytest.param({"a": [{"_attn_implementation_internal": "org/kernel"}]}, id="in a list"),
        pytest.param({"model_file": "x.py"}, id="model_file"),
    ],
)
def test_configuration_that_loads_code_is_refused(document: object) -> None:
    with pytest.raises(IntakeError, match="makes loaders run code"):
        check_json("config.json", json.dumps(document).encode())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"{", r"params\.json is not JSON: .*line 1 column 2", id="not JSON"),
        pytest.param(b"\xff{}", "not UTF-8 at byte 0", id="not UTF-8"),
        pytest.param("{}".encode("utf-16"), "not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", "not JSON: .*BOM", id="byte order mark"),
        pytest.param(b"[]", "holds a list, not an object", id="a list"),
        pytest.param(b"null", "holds null, not an object", id="null"),
        pytest.param(b'"x"', "holds a text, not an object", id="a text"),
        pytest.param(b"7", "holds 7, not an object", id="a number"),
        pytest.param(b"1" * 5000, "not JSON: .*limit", id="a number of 5,000 digits"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="nested lists"),
        pytest.param(b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested too deeply", id="nested"),
    ],
)
def test_configuration_of_another_shape_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        check_json("params.json", content)


def test_a_part_or_text_of_another_shape_is_refused_with_its_place() -> None:
    """What was taken as missing before: a mixture of experts would be planned as a dense model."""
    config = Part("params.json", {"moe": [1], "quantization": {"qformat_weight": 8}, "off": None})
    assert not config.part("off")
    assert config.text("off") == ""
    with pytest.raises(IntakeError, match=r"^params\.json: moe is no object: \[1\]"):
        config.part("moe")
    with pytest.raises(IntakeError, match=r"^params\.json: quantization: qformat_weight is no tex"):
        config.part("quantization").text("qformat_weight")
