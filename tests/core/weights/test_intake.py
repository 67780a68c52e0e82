"""Which files may be drafted."""

import json

import pytest

from escadre.core.weights.intake import IntakeError, check_index, check_json, select_files

SMALL_2501 = [
    ".gitattributes",
    "LICENSE",
    "README.md",
    "SYSTEM_PROMPT.txt",
    "config.json",
    "consolidated.safetensors",
    "generation_config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "params.json",
    "tekken.json",
    "tokenizer.json",
]


def test_of_two_layouts_only_mistral_s_own_is_drafted() -> None:
    selection = select_files(SMALL_2501)
    assert selection.files == (
        "LICENSE",
        "SYSTEM_PROMPT.txt",
        "consolidated.safetensors",
        "params.json",
        "tekken.json",
    )
    assert "model-00001-of-00002.safetensors" in selection.left_out
    assert (selection.format, selection.tokenizer) == ("mistral", "mistral")
    assert (selection.config, selection.weights) == ("params.json", ("consolidated.safetensors",))


def test_without_it_the_hugging_face_layout_is_drafted() -> None:
    paths = [p for p in SMALL_2501 if not p.startswith("consolidated")]
    selection = select_files([*paths, "modeling_mistral.py", "pytorch_model.bin"])
    assert (selection.format, selection.tokenizer) == ("huggingface", "huggingface")
    assert {"modeling_mistral.py", "pytorch_model.bin", "params.json"} <= set(selection.left_out)
    assert len(selection.weights) == 2


def test_an_old_mistral_tokenizer_is_known() -> None:
    selection = select_files(["consolidated.safetensors", "params.json", "tokenizer.model.v3"])
    assert "tokenizer.model.v3" in selection.files


@pytest.mark.parametrize(
    "layout",
    [
        ["config.json", "model.safetensors", "tokenizer.json"],
        ["consolidated.safetensors", "params.json", "tekken.json"],
    ],
)
def test_modelopt_s_own_file_belongs_to_the_model(layout: list[str]) -> None:
    """Without it the engine would build the model unquantised."""
    assert "hf_quant_config.json" in select_files([*layout, "hf_quant_config.json"]).files


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        pytest.param([], "no consolidated", id="empty"),
        pytest.param(
            ["pytorch_model.bin", "config.json", "tokenizer.json"],
            "pytorch_model.bin cannot be approved, such files may carry code",
            id="pickles only",
        ),
        pytest.param(["model.gguf"], "model.gguf cannot be approved", id="gguf"),
        pytest.param(
            ["consolidated.safetensors", "tekken.json"], "params.json is missing", id="no params"
        ),
        pytest.param(
            ["consolidated.safetensors", "params.json"], "no tokenizer", id="no tokenizer"
        ),
        pytest.param(
            ["consolidated.safetensors", "params.json", "tekken.json", "LICENSE", "a\u202e.jinja"],
            "invisible character",
            id="misleading name",
        ),
        pytest.param(
            ["consolidated.safetensors", "params.json", "tekken.json", ".x.jinja"],
            "hidden file",
            id="hidden file",
        ),
        pytest.param(
            ["consolidated.safetensors", "params.json", "tekken.json", "a.jinja", "A.jinja"],
            "upper and lower case only",
            id="case clash",
        ),
    ],
)
def test_what_cannot_be_approved_is_refused(paths: list[str], says: str) -> None:
    with pytest.raises(IntakeError, match=says):
        select_files(paths)


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


def test_configuration_that_is_not_json_is_refused() -> None:
    with pytest.raises(IntakeError, match=r"params\.json is not JSON"):
        check_json("params.json", b"{")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000])
def test_json_that_is_nested_without_end_is_refused(content: bytes) -> None:
    with pytest.raises(IntakeError, match="is nested too deeply for a configuration"):
        check_json("params.json", content)


def test_an_index_has_to_name_exactly_the_weights() -> None:
    index = {"weight_map": {"a": "model-1.safetensors"}}
    check_index("i", index, ["model-1.safetensors"])
    with pytest.raises(IntakeError, match=r"differ in: model-2\.safetensors"):
        check_index("i", index, ["model-1.safetensors", "model-2.safetensors"])
    with pytest.raises(IntakeError, match="differ"):
        check_index("i", {"weight_map": {"a": "../x"}}, ["model-1.safetensors"])
