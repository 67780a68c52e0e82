"""Whether the weights are whole."""

from collections.abc import Iterable
from contextlib import nullcontext

import pytest

from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.safetensors import Tensor
from escadre.core.weights.shards import (
    check_layers,
    file_faults,
    index_faults,
    numbering_faults,
    read_index,
    tensor_faults,
)

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def held(**files: list[str]) -> dict[str, list[Tensor]]:
    return {
        {"one": ONE, "two": TWO}.get(file, file): [Tensor(name, "U8", (0,), 0, 0) for name in names]
        for file, names in files.items()
    }


def said(faults: Iterable[IntakeError]) -> list[str]:
    return [fault.message for fault in faults]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param([ONE, TWO], [], id="both"),
        pytest.param(["model.safetensors", "consolidated.safetensors"], [], id="not numbered"),
        pytest.param(
            [ONE], [f"of 2 shards model-*-of-00002.safetensors 1 is missing: {TWO}"], id="one"
        ),
        pytest.param(
            ["consolidated-00001-of-00002.safetensors", "consolidated-00002-of-00003.safetensors"],
            [
                (
                    "of 2 shards consolidated-*-of-00002.safetensors 1 is missing: "
                    "consolidated-00002-of-00002.safetensors"
                ),
                (
                    "of 3 shards consolidated-*-of-00003.safetensors 2 are missing: "
                    "consolidated-00001-of-00003.safetensors, "
                    "consolidated-00003-of-00003.safetensors"
                ),
            ],
            id="of two counts",
        ),
        pytest.param(
            ["model-7-of-999999.safetensors"],
            [
                (
                    "of 999999 shards model-*-of-999999.safetensors 999998 are missing: "
                    "model-000001-of-999999.safetensors, model-000002-of-999999.safetensors, "
                    "model-000003-of-999999.safetensors and 999995 more"
                )
            ],
            id="a count that nobody has",
        ),
    ],
)
def test_files_that_are_numbered_are_all_there(files: list[str], says: list[str]) -> None:
    assert said(numbering_faults(files)) == says


@pytest.mark.parametrize(
    ("index", "says"),
    [
        pytest.param({}, "weight_map is no object", id="none"),
        pytest.param({"weight_map": ["a"]}, "weight_map is no object", id="a list"),
        pytest.param({"weight_map": {}}, "weight_map is no object", id="empty"),
        pytest.param({"weight_map": {"a": ["x"]}}, r'weight_map: a is \["x"\], not', id="list"),
        pytest.param({"weight_map": {"a": None}}, "weight_map: a is null", id="null"),
    ],
)
def test_an_index_of_another_shape_is_refused(index: dict[str, object], says: str) -> None:
    with pytest.raises(IntakeError, match=rf"^i\.json: {says}"):
        read_index("i.json", index)


@pytest.mark.parametrize(
    ("index", "files", "says"),
    [
        pytest.param({"a": ONE, "b": TWO}, {"one": ["a"], "two": ["b"]}, [], id="whole"),
        pytest.param(
            {"a": ONE, "b": TWO},
            {"one": ["a"]},
            [f"i.json names {TWO}, which is not among the weight files"],
            id="a file lacks",
        ),
        pytest.param(
            {"a": "../x", "b": ONE},
            {"one": ["b"]},
            ["i.json names ../x, which is not among the weight files"],
            id="a file elsewhere",
        ),
        pytest.param(
            {"a": ONE},
            {"one": ["a"], "two": ["b"]},
            [f"i.json does not name {TWO}, which is there"],
            id="a file too many",
        ),
        pytest.param(
            {"a": ONE, "b": TWO, "c": TWO},
            {"one": ["a"], "two": ["c"]},
            ["i.json maps tensors that no file holds: b"],
            id="a tensor lacks",
        ),
        pytest.param(
            {"a": ONE, "b": TWO},
            {"one": ["a", "c"], "two": ["b"]},
            [],
            id="a tensor that the index does not name",
        ),
        pytest.param(
            {"a": TWO, "b": TWO, "c": ONE},
            {"one": ["a"], "two": ["b", "c"]},
            ["i.json maps tensors to another file than the one that holds them: a, c"],
            id="elsewhere",
        ),
    ],
)
def test_index_and_files_hold_the_same(
    index: dict[str, str], files: dict[str, list[str]], says: list[str]
) -> None:
    there = held(**files)
    faults = list(file_faults("i.json", index, there)) or list(index_faults("i.json", index, there))
    assert said(faults) == says


def test_a_tensor_stands_in_one_file() -> None:
    assert not said(tensor_faults(held(one=["a"], two=["b"])))
    assert said(tensor_faults(held(one=["a", "b"], two=["c", "b", "a"]))) == [
        f"{ONE} and {TWO} both hold a, b: which of them an engine takes is chance"
    ]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        pytest.param(["layers.0.x", "layers.1.x"], "", id="all"),
        pytest.param(["model.layers.0.x", "model.layers.1.x"], "", id="the other layout"),
        pytest.param(["layers.0.x", "layers.1.x", "layers.2.x"], "", id="one that predicts more"),
        pytest.param(["w"], "", id="names that are not known here"),
        pytest.param(
            ["layers.0.x", "vision_encoder.transformer.layers.1.x"],
            "params.json counts 2 layers, and no file holds a tensor of layer 1",
            id="one lacks",
        ),
        pytest.param(
            ["language_model.model.layers.7.x"],
            "params.json counts 2 layers, and no file holds a tensor of layers 0, 1",
            id="both lack",
        ),
    ],
)
def test_each_layer_that_the_configuration_counts_has_a_tensor(names: list[str], says: str) -> None:
    findings = Findings()
    with findings.collecting():
        check_layers("params.json", 2, held(one=names))
    assert bool(findings) == bool(says)
    with pytest.raises(IntakeError, match=rf"^{says}\n") if says else nullcontext():
        findings.settle()
