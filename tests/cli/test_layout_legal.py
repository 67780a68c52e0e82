"""`escadre layout legal`: sizes, notes, and what cannot be read, without a cluster."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Program
from tests.core.weights.test_architecture import HF_SMALL_3, SMALL_3

ONE_LAYOUT = (
    *("--max-model-len", "4096", "--max-num-seqs", "8", "--gpu-memory-utilization", "0.9"),
    *("--weights-bytes", "1000000"),
)
LARGE_2 = {**SMALL_3, "dim": 12288, "n_layers": 88, "n_heads": 96, "hidden_dim": 28672}


def put(folder: Path, name: str, document: Mapping[str, Any]) -> Path:
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def safetensors(folder: Path, file: str, name: str = "w", size: int = 64) -> Path:
    """A whole weight file of one tensor, two bytes an element."""
    tensor = {"dtype": "F16", "shape": [size // 2], "data_offsets": [0, size]}
    header = json.dumps({name: tensor}).encode()
    path = folder / file
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * size)
    return path


def legal(program: Program, path: Path, *arguments: str) -> dict[str, Any]:
    ran = program.run("layout", "legal", "--config", str(path), *arguments, "-o", "json")
    assert ran.code <= 1, ran.err
    assert program.targets == [], "no cluster is asked"
    answer: dict[str, Any] = json.loads(ran.out)
    assert ran.code == (0 if all(one["legal"] for one in answer["results"]) else 1)
    return answer


@pytest.mark.parametrize(
    ("name", "document", "sizes"),
    [
        ("params.json", LARGE_2, [1, 2, 4, 8, 16]),
        ("config.json", HF_SMALL_3, [1, 2, 4, 8, 16]),
        ("anything.json", {**SMALL_3, "vision_encoder": None}, [1, 2, 4, 8, 16, 32]),
    ],
)
def test_up_to_96(tmp_path: Path, name: str, document: dict[str, Any], sizes: list[int]) -> None:
    path = put(tmp_path, name, document)
    answer = legal(Program(), path, "--tensor-parallel", "1..96")
    results = answer["results"]
    assert [one["tensorParallelSize"] for one in results] == list(range(1, 97))
    assert [one["tensorParallelSize"] for one in results if one["legal"]] == sizes
    assert answer == legal(Program(), path, "--tensor-parallel", "1..96")


def test_the_document_is_as_it_is_documented(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", LARGE_2)
    assert legal(Program(), path, "--tensor-parallel", "8,3") == {
        "results": [
            {
                "tensorParallelSize": 3,
                "legal": False,
                "reason": "VocabularyNotDivisible",
                "message": "the vocabulary, padded to 131072 entries, does not divide by 3; "
                "vLLM: AssertionError: 131072 is not divisible by 3",
            },
            {"tensorParallelSize": 8, "legal": True, "reason": None, "message": None},
        ],
        "pipelineParallelSize": 1,
        "gpu": None,
        "notes": [],
    }


@pytest.mark.parametrize(
    ("document", "stages", "sizes", "reason", "words"),
    [
        pytest.param(LARGE_2, 1, [1, 2], None, None, id="one-stage"),
        pytest.param(LARGE_2, 88, [1, 2], None, None, id="a-layer-each"),
        pytest.param(
            LARGE_2, 89, [], "PipelineNotSupported", "88 layers are too few for 89 stages", id="89"
        ),
    ],
)
def test_sizes_are_judged_in_so_many_stages(
    tmp_path: Path,
    document: dict[str, Any],
    stages: int,
    sizes: list[int],
    reason: str | None,
    words: str | None,
) -> None:
    path = put(tmp_path, "params.json", document)
    given = ("--tensor-parallel", "1..3", "--pipeline-parallel", str(stages))
    answer = legal(Program(), path, *given)
    assert answer["pipelineParallelSize"] == stages
    results = {one["tensorParallelSize"]: one for one in answer["results"]}
    assert [size for size, one in results.items() if one["legal"]] == sizes
    assert results[3]["reason"] == "VocabularyNotDivisible", "the size is told before the stages"
    assert (results[1]["reason"], results[1]["message"]) == (reason, words)


def test_stages_have_a_column_where_they_are_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", LARGE_2)
    given = ("layout", "legal", "--config", str(path), "--tensor-parallel", "4")
    assert Program().run(*given).out.split()[:3] == ["TP", "LEGAL", "WHY"]
    ran = Program().run(*given, "--pipeline-parallel", "2")
    assert ran.out.split() == ["TP", "PP", "LEGAL", "WHY", "✓", "4", "2", "yes", "-"]


@pytest.mark.parametrize("stages", ["0", "-1", "1025", "two", "1.5"])
def test_a_number_of_stages_that_is_none_is_refused(
    tmp_path: Path, stages: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put(tmp_path, "params.json", LARGE_2)
    for command in ("legal", "estimate"):
        given = ("layout", command, "--config", str(path), "--tensor-parallel", "4")
        ran = Program().run(*given, "--pipeline-parallel", stages)
        assert ran.code == 2
        assert "Invalid value for '--pipeline-parallel'" in capsys.readouterr().err


def test_a_card_that_cannot_compute_in_the_type_refuses_every_size(tmp_path: Path) -> None:
    numbers = {"quant_method": "modelopt", "quant_algo": "FP8"}
    path = put(tmp_path, "config.json", {**HF_SMALL_3, "quantization_config": numbers})
    answer = legal(Program(), path, "--tensor-parallel", "1..3", "--gpu", "T4")
    assert answer["gpu"] == "Tesla-T4"
    assert {one["reason"] for one in answer["results"]} == {"DtypeNotSupported"}


def test_a_card_without_bfloat16_serves_in_float16_and_that_is_said(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", SMALL_3)
    answer = legal(Program(), path, "--tensor-parallel", "1,2", "--gpu", "T4")
    assert [one["legal"] for one in answer["results"]] == [True, True]
    assert answer["notes"] == [
        "Tesla-T4 has no bfloat16: vLLM computes in float16 there, with a warning"
    ]
    assert legal(Program(), path, "--tensor-parallel", "1", "--gpu", "L4")["notes"] == []


def test_a_name_of_several_cards_says_which_was_taken(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", SMALL_3)
    answer = legal(Program(), path, "--tensor-parallel", "1", "--gpu", "H100-80GB")
    assert answer["gpu"] == "NVIDIA-H100-80GB-HBM3"
    (note,) = answer["notes"]
    assert note.startswith("--gpu H100-80GB was taken for NVIDIA-H100-80GB-HBM3; NVIDIA-H100-PCIe ")


def test_a_type_that_nobody_says_is_said_to_be_unknown(tmp_path: Path) -> None:
    path = put(tmp_path, "config.json", HF_SMALL_3)
    (note,) = legal(Program(), path, "--tensor-parallel", "1", "--gpu", "T4")["notes"]
    assert "type of the weights is not known" in note
    safetensors(tmp_path, "model.safetensors")
    found = legal(Program(), tmp_path, "--tensor-parallel", "1", "--gpu", "T4")
    assert (found["notes"], found["results"][0]["legal"]) == ([], True)


def test_the_folder_is_read_as_a_draft_reads_it(tmp_path: Path) -> None:
    """Mistral's own files where there are weights of them, whatever lies beside."""
    put(tmp_path, "config.json", {**HF_SMALL_3, "vision_config": None})
    put(tmp_path, "params.json", SMALL_3)
    assert legal(Program(), tmp_path, "--tensor-parallel", "32")["results"][0]["legal"]
    safetensors(tmp_path, "consolidated.safetensors")
    assert not legal(Program(), tmp_path, "--tensor-parallel", "32")["results"][0]["legal"]


@pytest.mark.parametrize("width", [80, 60])
def test_on_a_narrow_terminal_nothing_is_cut(tmp_path: Path, width: int) -> None:
    path = put(tmp_path, "params.json", SMALL_3)
    given = ("--config", str(path), "--tensor-parallel", "1..32", "--gpu", "h100")
    out = Program(width=width).run("layout", "legal", *given).out
    assert max(len(line) for line in out.splitlines()) <= width
    assert "…" not in out
    assert "✓  16  yes    -" in out
    assert "✗  32  no     HeadsNotDivisible" in out


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ("0", "'0' is no size from 1 to 1024"),
        ("4..2", "'4..2' is no size"),
        ("1..9999", "'1..9999' is no size"),
        ("1,,2", "'' is no size"),
        ("all", "'all' is no size"),
    ],
)
def test_sizes_that_are_none(tmp_path: Path, sizes: str, words: str) -> None:
    path = put(tmp_path, "params.json", SMALL_3)
    ran = Program().run("layout", "legal", "--config", str(path), "--tensor-parallel", sizes)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_an_unknown_card_names_those_that_are_known(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", SMALL_3)
    given = ("--config", str(path), "--tensor-parallel", "1", "--gpu", "Voodoo")
    ran = Program().run("layout", "legal", *given)
    assert ran.code == 2
    assert "no such product is known here, only Tesla-T4, NVIDIA-A10" in ran.err


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "params.json is missing, which describes the model"),
        ({"params.json": "{"}, "params.json is not JSON"),
        ({"params.json": "[]"}, "params.json holds a list, not an object"),
        ({"params.json": '{"n_heads": 3.5}'}, "n_heads is not a whole number: 3.5"),
        ({"config.json": '{"auto_map": {}}'}, "auto_map, which makes loaders run code"),
        ({"config.json": "{}", "model.safetensors": "x"}, "too few for a safetensors file"),
        (
            {
                "config.json": "{}",
                "model.safetensors": "x",
                "model.safetensors.index.json": '{"weight_map": {"a": "model-2.safetensors"}}',
            },
            "the index names model-2.safetensors, which is not among the weight files",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, files: dict[str, str], words: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    ran = Program().run("layout", "legal", "--config", str(tmp_path), "--tensor-parallel", "1")
    assert (ran.code, ran.out) == (3, "")
    assert words in ran.err


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("params.json", "{}", "params.json: n_heads is missing"),
        ("params.json", '{"dim": "5120"}', "params.json: n_heads is missing"),
        ("config.json", '{"dim": 5120}', "config.json: num_attention_heads is missing"),
        ("tuned.json", "{}", "tuned.json, read as a config.json: num_attention_heads is missing"),
        (
            "tuned.json",
            '{"dim": 5120, "n_heads": "32"}',
            'tuned.json, read as a params.json: n_heads is not a whole number: "32"',
        ),
    ],
)
def test_a_file_is_named_as_it_was_given(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    """Its name says what it is, and only where it says nothing its content does."""
    path = tmp_path / name
    path.write_text(content)
    for given in (("legal",), ("estimate", "--gpu", "H100", *ONE_LAYOUT)):
        ran = Program().run("layout", *given, "--config", str(path), "--tensor-parallel", "1")
        assert (ran.code, ran.err) == (3, f"escadre: --config {tmp_path}/{words}\n")


def test_an_engine_version_decides_which_formats_are_served(tmp_path: Path) -> None:
    numbers = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    path = put(tmp_path, "config.json", {**HF_SMALL_3, "quantization_config": numbers})
    given = ("--tensor-parallel", "1,2")
    for version in ((), ("--engine-version", "0.32"), ("--engine-version", "0.28.1")):
        answer = legal(Program(), path, *given, *version)
        assert {one["reason"] for one in answer["results"]} == {"QuantizationNotServed"}
        assert "bitsandbytes, which vLLM 0." in answer["results"][0]["message"]
    old = legal(Program(), path, *given, "--engine-version", "0.27")
    assert ([one["legal"] for one in old["results"]], old["notes"]) == ([True, True], [])


def test_an_engine_version_that_is_not_known_is_said(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", LARGE_2)
    usual = legal(Program(), path, "--tensor-parallel", "1..8")
    newer = legal(Program(), path, "--tensor-parallel", "1..8", "--engine-version", "0.40.0")
    (note,) = newer["notes"]
    assert note == (
        "vLLM 0.40.0 is not known here; it is judged as 0.32, the nearest older version that is"
    )
    assert newer["results"] == usual["results"]


def test_what_is_no_engine_version(tmp_path: Path) -> None:
    path = put(tmp_path, "params.json", LARGE_2)
    given = ("--config", str(path), "--tensor-parallel", "1", "--engine-version", "latest")
    ran = Program().run("layout", "legal", *given)
    assert (ran.code, ran.out) == (2, "")
    assert "--engine-version latest: a version of vLLM is meant, like 0.32" in ran.err


def test_modelopt_s_own_file_in_a_folder_is_read(tmp_path: Path) -> None:
    put(tmp_path, "config.json", HF_SMALL_3)
    numbers = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4"}}
    put(tmp_path, "hf_quant_config.json", numbers)
    answer = legal(Program(), tmp_path, "--tensor-parallel", "1", "--gpu", "T4")
    assert (answer["notes"], answer["results"][0]["legal"]) == ([], True)
