"""Number formats, from the metadata that public quantised checkpoints carry."""

from typing import Any

import pytest
from tests.core.weights.test_architecture import HF_SMALL_3, HUGGINGFACE, MISTRAL, SMALL_3

from escadre.api.approval import Architecture
from escadre.core.profile import DEFAULT_PROFILE, profile_for
from escadre.core.weights.architecture import read_architecture
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import Selection
from escadre.core.weights.numberformat import check_served, read_format
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import Tensor


def compressed(*groups: dict[str, Any], **given: Any) -> dict[str, Any]:
    """As llm-compressor writes it."""
    return {
        "quant_method": "compressed-tensors",
        "config_groups": {
            f"group_{at}": {"targets": ["Linear"], "weights": weights}
            for at, weights in enumerate(groups)
        },
        **given,
    }


INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}
INT8 = {"num_bits": 8, "type": "int", "strategy": "channel", "group_size": None}
FP8 = {"num_bits": 8, "type": "float", "strategy": "channel"}
FP8_BLOCK = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]}
NVFP4 = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
MODELOPT = {
    "producer": {"name": "modelopt", "version": "0.29.0"},
    "quantization": {"quant_algo": "NVFP4", "group_size": 16, "exclude_modules": ["lm_head"]},
}


def read(
    selection: Selection,
    document: dict[str, Any],
    kind: str,
    separate: dict[str, Any] | None = None,
) -> Architecture:
    """The facts of a model with 90 bytes of that storage type and 10 of BF16."""
    held = [Tensor("w", kind, (90,), 0, 90), Tensor("norm", "BF16", (5,), 90, 100)]
    return read_architecture(selection, document, held, separate)


def huggingface(numbers: dict[str, Any], kind: str) -> Architecture:
    return read(HUGGINGFACE, {**HF_SMALL_3, "quantization_config": numbers}, kind)


@pytest.mark.parametrize(
    ("numbers", "kind", "dtype", "method", "group", "block"),
    [
        pytest.param(
            {"quant_method": "awq", "bits": 4, "group_size": 128},
            "I32",
            "int4",
            "awq",
            128,
            None,
            id="AWQ",
        ),
        pytest.param(
            {"quant_method": "awq", "w_bit": 4, "q_group_size": 64},
            "I32",
            "int4",
            "awq",
            64,
            None,
            id="AWQ in its older words",
        ),
        pytest.param(
            {"quant_method": "gptq", "bits": 4, "group_size": -1, "desc_act": False},
            "I32",
            "int4",
            "gptq",
            None,
            None,
            id="GPTQ, a scale for a row",
        ),
        pytest.param(
            {"quant_method": "gptq", "bits": 8, "group_size": 32},
            "I32",
            "int8",
            "gptq",
            32,
            None,
            id="GPTQ with 8 bits",
        ),
        pytest.param(
            {"quant_method": "auto-round", "bits": 4, "group_size": 128, "data_type": "int"},
            "I32",
            "int4",
            "inc",
            128,
            None,
            id="AutoRound, which vLLM calls inc",
        ),
        pytest.param(
            compressed(INT4), "I32", "int4", "compressed-tensors", 128, None, id="W4A16 packed"
        ),
        pytest.param(
            compressed(INT8), "I8", "int8", "compressed-tensors", None, None, id="W8A8 integers"
        ),
        pytest.param(
            compressed(FP8), "F8_E4M3", "float8", "compressed-tensors", None, None, id="FP8, rows"
        ),
        pytest.param(
            compressed(FP8_BLOCK),
            "F8_E4M3",
            "float8",
            "compressed-tensors",
            None,
            (128, 128),
            id="FP8, blocks",
        ),
        pytest.param(
            compressed(NVFP4), "U8", "float4", "compressed-tensors", 16, None, id="NVFP4 packed"
        ),
        pytest.param(
            compressed(NVFP4) | {"quant_method": "compressed_tensors"},
            "U8",
            "float4",
            "compressed-tensors",
            16,
            None,
            id="its other spelling",
        ),
        pytest.param({"quant_method": "fp8"}, "F8_E4M3", "float8", "fp8", None, None, id="FP8"),
        pytest.param(
            {"quant_method": "fp8", "weight_block_size": [128, 128]},
            "F8_E4M3",
            "float8",
            "fp8",
            None,
            (128, 128),
            id="FP8 in blocks",
        ),
        pytest.param(
            {"quant_method": "fp8", "weight_block_size": None},
            "F8_E4M3",
            "float8",
            "fp8",
            None,
            None,
            id="FP8 without blocks",
        ),
        pytest.param(
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "producer": {"name": "modelopt"}},
            "U8",
            "float4",
            "modelopt_fp4",
            16,
            None,
            id="ModelOpt since 0.31",
        ),
        pytest.param(
            {"quant_method": "modelopt", "quant_algo": "fp8"},
            "F8_E4M3",
            "float8",
            "modelopt",
            None,
            None,
            id="ModelOpt's FP8",
        ),
        pytest.param(
            {"quant_method": "mxfp4"}, "U8", "float4", "mxfp4", 32, None, id="MXFP4, as gpt-oss"
        ),
        pytest.param(
            {
                "quant_method": "quark",
                "global_quant_config": {"weight": {"dtype": "fp8_e4m3", "group_size": None}},
            },
            "F8_E4M3",
            "float8",
            "quark",
            None,
            None,
            id="Quark",
        ),
        pytest.param(
            {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "uint4"}}},
            "I32",
            "int4",
            "quark",
            None,
            None,
            id="Quark with integers",
        ),
    ],
)
def test_of_a_config_json(
    *,
    numbers: dict[str, Any],
    kind: str,
    dtype: str,
    method: str,
    group: int | None,
    block: tuple[int, int] | None,
) -> None:
    found = huggingface(numbers, kind)
    assert found.dtype == dtype
    assert found.quantization is not None
    assert found.quantization.model_dump() == {
        "method": method,
        "group_size": group,
        "block": block,
    }
    assert method in DEFAULT_PROFILE.quantization


@pytest.mark.parametrize(
    ("numbers", "kind", "dtype"),
    [
        pytest.param({"qformat_weight": "fp8_e4m3"}, "F8_E4M3", "float8", id="static"),
        pytest.param(
            {"qformat_weight": "fp8_e4m3", "qscheme_act": "NO_SCALES"},
            "F8_E4M3",
            "float8",
            id="dynamic",
        ),
        pytest.param(compressed(NVFP4), "U8", "float4", id="NVFP4"),
        pytest.param(compressed(INT4), "I32", "int4", id="packed integers"),
    ],
)
def test_of_a_params_json(numbers: dict[str, Any], kind: str, dtype: str) -> None:
    assert read(MISTRAL, {**SMALL_3, "quantization": numbers}, kind).dtype == dtype


def test_the_metadata_decides_not_what_it_is_stored_in() -> None:
    """A small model whose embedding outweighs its quantised layers is quantised all the same."""
    assert (
        huggingface({"quant_method": "awq", "bits": 4, "group_size": 128}, "BF16").dtype == "int4"
    )


def test_where_parts_differ_it_is_that_of_most_bytes() -> None:
    numbers = compressed(FP8, NVFP4)
    assert huggingface(numbers, "U8").dtype == "float4"
    assert huggingface(numbers, "F8_E4M3").dtype == "float8"


def test_of_several_groups_the_largest_binds() -> None:
    found = huggingface(compressed(INT4, {**INT4, "group_size": 32}), "I32").quantization
    assert found is not None
    assert found.group_size == 128


@pytest.mark.parametrize("selection", [MISTRAL, HUGGINGFACE])
def test_modelopt_s_own_file_beside_a_silent_configuration(selection: Selection) -> None:
    document = SMALL_3 if selection is MISTRAL else HF_SMALL_3
    found = read(selection, document, "U8", MODELOPT)
    assert found.quantization is not None
    assert (found.dtype, found.quantization.method) == ("float4", "modelopt_fp4")
    fp8 = {**MODELOPT, "quantization": {"quant_algo": "FP8"}}
    assert read(selection, document, "F8_E4M3", fp8).dtype == "float8"


def test_the_configuration_s_own_word_goes_before_it() -> None:
    document = {**HF_SMALL_3, "quantization_config": {"quant_method": "fp8"}}
    found = read(HUGGINGFACE, document, "F8_E4M3", MODELOPT).quantization
    assert found is not None
    assert found.method == "fp8"


@pytest.mark.parametrize(
    "document",
    [
        {"text_config": {"quantization_config": {"quant_method": "fp8"}}},
        {"compression_config": {"quant_method": "fp8"}},
    ],
)
def test_other_places_where_the_engine_looks(document: dict[str, Any]) -> None:
    found = read_format(Part("config.json", document), None)
    assert found is not None
    assert found.method == "fp8"


@pytest.mark.parametrize("document", [{}, {"quantization_config": None}, {"quantization": {}}])
def test_what_is_not_quantised(document: dict[str, Any]) -> None:
    assert read_format(Part("config.json", document), None) is None


@pytest.mark.parametrize(
    ("document", "separate", "says"),
    [
        ({"quantization_config": "fp8"}, None, "quantization_config is no object"),
        (
            {"quantization_config": {"quant_method": "awq"}},
            None,
            "quantization_config: bits or w_bit is missing",
        ),
        (
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128]}},
            None,
            "the block of weights is not two numbers",
        ),
        (
            {"dim": 1, "quantization": {"qformat_weight": "fp4"}},
            None,
            "vLLM reads nothing else in a params.json",
        ),
        (
            {"dim": 1, "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "BLOCK"}},
            None,
            'qscheme_act is "BLOCK", vLLM reads TENSOR and NO_SCALES',
        ),
        (
            {},
            {**MODELOPT, "quantization": {"quant_algo": "W4A8_AWQ"}},
            "hf_quant_config.json: quant_algo is W4A8_AWQ, vLLM reads FP8",
        ),
        ({}, {}, "hf_quant_config.json: quant_algo is missing"),
        (
            {"quantization_config": {"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}},
            None,
            "quant_algo is W4A8_AWQ, vLLM reads",
        ),
    ],
)
def test_what_vllm_does_not_read_is_named(
    document: dict[str, Any], separate: dict[str, Any] | None, says: str
) -> None:
    with pytest.raises(IntakeError, match=says):
        read_format(Part("config.json", document), separate)


def test_a_method_that_is_not_read_here_is_no_guess() -> None:
    with pytest.raises(IntakeError, match="in which numbers torchao keeps the weights"):
        huggingface({"quant_method": "torchao"}, "I8")


def test_bitsandbytes_is_no_float4_and_not_served_any_more() -> None:
    numbers = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    assert huggingface(numbers, "U8").dtype == "int4"
    check_served("config.json", "bitsandbytes", profile_for("0.27").profile)
    with pytest.raises(
        IntakeError, match=r"bitsandbytes, which vLLM 0\.32 does not serve; it serves"
    ):
        check_served("config.json", "bitsandbytes", DEFAULT_PROFILE)
