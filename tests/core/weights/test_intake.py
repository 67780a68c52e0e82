"""Which files may be drafted."""

import pytest

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.intake import select_files

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
        pytest.param(
            ["snapshots/ab/model.safetensors", "snapshots/ab/config.json"],
            "give the folder that holds them: there are some in snapshots/ab",
            id="in a folder of their own",
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


def test_all_that_the_names_tell_is_told_at_once() -> None:
    paths = ["consolidated-00002-of-00003.safetensors", "tokenizer.model.v4", "a.jinja", "A.jinja"]
    with pytest.raises(IntakeError) as refused:
        select_files(paths)
    assert str(refused.value).splitlines() == [
        "4 findings, each of which stops it:",
        (
            "1. params.json is missing, which describes the weights "
            "consolidated-00002-of-00003.safetensors …"
        ),
        "   next: copy it from the same revision of the model's repository",
        (
            "2. tokenizer.model.v4: mistral-common reads the version from this name and knows v1, "
            "v2, v3, v7, v11, with or without m1 behind"
        ),
        "   next: give it the name that it has in the model's own repository, then draft again",
        "3. 'A.jinja' and 'a.jinja' differ in upper and lower case only",
        (
            "4. of 3 shards consolidated-*-of-00003.safetensors 2 are missing: "
            "consolidated-00001-of-00003.safetensors, consolidated-00003-of-00003.safetensors"
        ),
        "   next: copy all files of the same revision, then draft again",
    ]


def test_more_files_than_an_approval_lists_are_refused_with_the_limit() -> None:
    paths = ["consolidated.safetensors", "params.json", "tekken.json"]
    with pytest.raises(IntakeError, match=r"^10,003 files, an approval lists 2,000 at most$"):
        select_files([*paths, *(f"{number}.jinja" for number in range(10_000))])
