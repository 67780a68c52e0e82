"""`escadre catalog`: what is printed, the document, and what is not there; no cluster is asked."""

import json

import pytest
from tests.cli.harness import Program, check_golden


def test_list_and_show_as_they_are_printed() -> None:
    program = Program()
    ran = program.run("catalog", "list", "large")
    assert (ran.code, ran.err) == (0, "")
    check_golden("catalog-list", ran.out)
    ran = program.run("catalog", "show", "mistralai/Mistral-Small-4-119B-2603")
    assert (ran.code, ran.err) == (0, "")
    check_golden("catalog-show", ran.out)
    assert program.targets == []


def test_words_of_a_name_may_stand_apart() -> None:
    apart, joined = (
        Program().run("catalog", "list", *words) for words in (("small", "4"), ("small-4",))
    )
    assert (apart.code, apart.out) == (0, joined.out)


def test_a_part_of_the_list_has_its_order() -> None:
    whole, part = (
        [one["name"] for one in json.loads(ran.out)["items"]]
        for ran in (
            Program().run("catalog", "list", *words, "-o", "json") for words in ((), ("small",))
        )
    )
    assert len(part) > 3
    assert part == [name for name in whole if name in part]


def test_the_document_is_as_it_is_documented() -> None:
    ran = Program().run("catalog", "show", "codestral-22b-v0-1", "-o", "json")
    assert json.loads(ran.out) == {
        "name": "codestral-22b-v0-1",
        "repository": "mistralai/Codestral-22B-v0.1",
        "family": "Codestral 22B",
        "parameters": "22.2 B",
        "released": "2024-05-29",
        "licence": "LicenseRef-MNPL-0.1",
        "documentedContextLength": 32768,
        "planned": True,
        "reason": None,
        "firstEngineVersion": None,
        "weightsStated": False,
        "architecture": {
            "format": "mistral",
            "tokenizer": "mistral",
            "dtype": "bfloat16",
            "weightBytes": 44494565376,
            "hiddenSize": 6144,
            "intermediateSize": 16384,
            "layers": 56,
            "attentionHeads": 48,
            "keyValueHeads": 8,
            "headDimension": 128,
            "vocabularySize": 32768,
            "maxContextLength": 32768,
        },
        "notes": [],
        "sources": [
            "mistralai/platform-docs-public@222f4ba9 src/schema/models/models",
            "config.json or params.json of the repository or of a public copy",
            "vllm-project/vllm 0.32 vllm/model_executor/models/registry.py",
        ],
    }


def test_what_the_engine_does_not_serve_says_so() -> None:
    ran = Program().run("catalog", "show", "large-4", "-o", "json")
    told = json.loads(ran.out)
    assert (told["planned"], told["architecture"]) == (False, None)
    assert "vLLM 0.32 does not know its architecture" in told["reason"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "small-4"), "NAME small-4 means 2 models: mistral-small-4-119b-2603, "),
        (("show", "gpt"), "NAME gpt: no model of the catalog is called so; escadre catalog list"),
        (("show", "codestrall-22b"), "is called so; near it: codestral-22b-v0-1"),
        (("show", "mistral-smal-3.2"), "so; near it: mistral-small-3-2-24b-instruct-2506\n"),
        (("show", "mistral-small-3-2-24b-instruct-2605"), "so; near it: mistral-small-3-2-24b-in"),
        (("show", "mistral-embet"), "is called so; near it: mistral-embed"),
        (("list", "gpt"), "no model of the catalog is called gpt; escadre catalog list"),
    ],
)
def test_what_is_not_there(arguments: tuple[str, ...], words: str) -> None:
    ran = Program().run("catalog", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
