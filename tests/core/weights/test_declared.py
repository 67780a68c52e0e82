"""The type of the weights, as far as a configuration says it."""

from typing import Any

import pytest

from escadre.core.weights.declared import declared_dtype


@pytest.mark.parametrize(
    ("document", "dtype"),
    [
        pytest.param({"dim": 4096}, "bfloat16", id="params.json"),
        pytest.param(
            {"dim": 4096, "quantization": {"qformat_weight": "fp8_e4m3"}}, "float8", id="its FP8"
        ),
        pytest.param({"dim": 4096, "quantization": {"config_groups": {}}}, None, id="its NVFP4"),
        pytest.param({"torch_dtype": "float16"}, "float16", id="config.json"),
        pytest.param({"text_config": {"dtype": "bfloat16"}}, "bfloat16", id="of the text part"),
        pytest.param(
            {"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "fp8"}},
            "float8",
            id="FP8",
        ),
        pytest.param(
            {"torch_dtype": "bfloat16", "quantization_config": {"quant_method": "awq"}},
            None,
            id="a method that is not known here",
        ),
        pytest.param({"quantization_config": "fp8"}, None, id="no object"),
        pytest.param({"torch_dtype": "complex64"}, None, id="a type that is not known here"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_what_it_says(document: dict[str, Any], dtype: str | None) -> None:
    assert declared_dtype(document) == dtype
