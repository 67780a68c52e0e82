"""--model of `escadre layout`: the same judgement as from the model's files, and a note."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.harness import Program
from tests.core.weights.test_architecture import LARGE_3, SMALL_3

ESTIMATE = (
    *("--gpu", "NVIDIA-H100-80GB-HBM3", "--tensor-parallel", "2", "--max-model-len", "32768"),
    *("--max-num-seqs", "32", "--gpu-memory-utilization", "0.92", "-o", "json"),
)


def asked(*arguments: str) -> dict[str, Any]:
    program = Program()
    ran = program.run("layout", *arguments)
    assert ran.code <= 1, ran.err
    assert program.targets == [], "no cluster is asked"
    answer: dict[str, Any] = json.loads(ran.out)
    return answer


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("mistral-small-3-2-24b-instruct-2506", SMALL_3),
        (
            "mistralai/Mistral-Large-3-675B-Base-2512",
            {
                **LARGE_3,
                "q_lora_rank": 1536,
                "v_head_dim": 128,
                "vision_encoder": {"num_attention_heads": 16},
            },
        ),
    ],
)
def test_the_same_as_from_the_files(tmp_path: Path, name: str, params: dict[str, Any]) -> None:
    path = tmp_path / "params.json"
    path.write_text(json.dumps(params))
    sizes = ("--tensor-parallel", "1..96", "-o", "json")
    ours = asked("legal", "--model", name, *sizes)
    assert ours["results"] == asked("legal", "--config", str(path), *sizes)["results"]
    assert "as the catalog describes it; its files may say otherwise" in ours["notes"][0]
    ours = asked("estimate", "--model", name, *ESTIMATE)
    held = str({"mistral-small-3-2-24b-instruct-2506": 48020000000}.get(name, 1352000000000))
    theirs = asked("estimate", "--config", str(path), "--weights-bytes", held, *ESTIMATE)
    assert {**ours, "notes": []} == {**theirs, "notes": []}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give the model as --model NAME or as --config PATH, one of the two"),
        (("--model", "small-4", "--config", "x"), "one of the two"),
        (("--model", "small-4"), "--model small-4 means 2 models: mistral-small-4-119b-2603, "),
        (("--model", "mixtral-8x7"), "is called so; near it: mixtral-8x7b-v0-1, mixtral-8x7b-ins"),
        (("--model", "gpt"), "--model gpt: no model of the catalog is called so"),
        (("--model", "large-4"), "no layout is planned for Mistral Large 4: vLLM 0.32 does not"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], words: str) -> None:
    ran = Program().run("layout", "legal", *arguments, "--tensor-parallel", "8")
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_heads_of_an_audio_encoder_count() -> None:
    name = ("--model", "voxtral-small-24b-2507")
    told = asked("legal", *name, "--tensor-parallel", "4,8", "-o", "json")
    assert [one["legal"] for one in told["results"]] == [True, False]
    assert "20 attention heads" in told["results"][1]["message"]


def test_a_model_that_came_with_a_later_version_of_the_engine() -> None:
    line = ("layout", "legal", "--model", "mistral-small-4-119b-2603", "--tensor-parallel", "4")
    older = Program().run(*line, "--engine-version", "0.19")
    assert (older.code, older.out) == (2, "")
    assert "vLLM 0.19 does not serve it, 0.20 is the first that does" in older.err
    assert Program().run(*line, "--engine-version", "0.20").code == 0


def test_a_draft_model_beside_its_model_is_no_second_meaning_of_a_name() -> None:
    ran = Program().run("layout", "legal", "--model", "medium-3-5", "--tensor-parallel", "8")
    assert ran.code == 0
    draft = Program().run("layout", "legal", "--model", "medium eagle", "--tensor-parallel", "8")
    assert draft.code == 2
    assert "it drafts tokens for Mistral Medium 3.5" in draft.err
