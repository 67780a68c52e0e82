"""The generated CRDs obey Kubernetes' rules for structural schemas and our own for fields."""

import json
from typing import Any, Literal

import pytest
from pydantic import Field

from escadre.api.base import Model
from escadre.api.kinds import KINDS, Kind
from escadre.api.schema import crd, structural, walk
from escadre.names import claim_name, node_weights_label, replica_name, volume_name

FORBIDDEN = (
    "$ref",
    "$defs",
    "title",
    "const",
    "anyOf",
    "oneOf",
    "allOf",
    "not",
    "prefixItems",
    "uniqueItems",
    "discriminator",
    "patternProperties",
    "definitions",
    "dependencies",
    "id",
    "nullable",
    "deprecated",
    "x-escadre-message",
)


def root_of(kind: Kind) -> dict[str, Any]:
    schema: dict[str, Any] = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def everything() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{kind.kind}{path}", schema) for kind in KINDS for path, schema in walk(root_of(kind), "")
    ]


@pytest.mark.parametrize(
    ("path", "schema"), [pytest.param(p, s, id=p or "root") for p, s in everything()]
)
def test_every_schema_is_legal_described_and_bounded(path: str, schema: dict[str, Any]) -> None:
    for word in FORBIDDEN:
        assert word not in schema, f"{path}: {word} is forbidden in a CRD"
    assert schema["type"] in {"object", "array", "string", "integer", "boolean"}
    assert not ("properties" in schema and "additionalProperties" in schema)
    if not path.endswith(("[]", ".metadata")):
        assert schema.get("description"), f"{path}: no description"
    if schema["type"] == "string" and "enum" not in schema:
        assert schema["maxLength"] <= 65536
    if schema["type"] == "integer":
        assert schema["minimum"] <= schema["maximum"]
    if schema["type"] == "array":
        assert schema["maxItems"] <= 2000
        assert schema["x-kubernetes-list-type"] in {"atomic", "set", "map"}
    if schema["type"] == "object" and "additionalProperties" in schema:
        assert schema["maxProperties"] <= 256
    for rule in schema.get("x-kubernetes-validations", ()):
        assert rule["message"]
        assert "\n" not in rule["message"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_names_of_a_crd_are_whole(kind: Kind) -> None:
    document = crd(kind)
    assert document["metadata"]["name"] == f"{kind.plural}.escadre.dev"
    names = document["spec"]["names"]
    assert names["categories"] == ["escadre"]
    assert names["shortNames"] == [kind.short]
    assert root_of(kind)["required"] == ["spec"]
    has_status = "subresources" in document["spec"]["versions"][0]
    assert has_status == (kind.status is not None)
    # kubectl apply keeps the whole object in an annotation of at most 256 KiB
    assert len(json.dumps(document)) < 200_000


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_defaults_stand_in_specs_and_at_the_top_of_a_status_only(kind: Kind) -> None:
    for path, schema in walk(root_of(kind), ""):
        if path.startswith(".status."):
            assert "default" not in schema, path
    if kind.default_conditions:
        status = root_of(kind)["properties"]["status"]
        default = status["default"]
        assert default.keys() <= status["properties"].keys()
        assert default.get("observedGeneration", -1) == -1
        assert {each["status"] for each in default["conditions"]} == {"Unknown"}
        assert {each["reason"] for each in default["conditions"]} == {"Pending"}
        assert not {"Reconciling", "Stalled"} & {each["type"] for each in default["conditions"]}


@pytest.mark.parametrize("name", ["ModelApproval", "ModelSignature"])
def test_what_people_sign_has_no_defaults(name: str) -> None:
    kind = next(each for each in KINDS if each.kind == name)
    spec = root_of(kind)["properties"]["spec"]
    assert [path for path, schema in walk(spec, "spec") if "default" in schema] == []


class _Recursive(Model):
    inner: "list[_Recursive]" = Field(description="Itself.")


class _Union(Model):
    value: int | str = Field(description="Two types.")


class _Pair(Model):
    value: tuple[int, str] = Field(description="A tuple.")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param(_Recursive, "contains itself", id="a model that contains itself"),
        pytest.param(_Union, "union of 2 types", id="a union of two types"),
        pytest.param(_Pair, "prefixItems", id="a tuple"),
    ],
)
def test_what_a_crd_cannot_say_is_refused(model: type[Model], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        structural(model, people=True)


class _Rewritten(Model):
    optional: int | None = Field(default=None, description="Optional.")
    one: Literal["only"] = Field(description="One value.")
    above: float = Field(gt=0, description="More than nothing.")


def test_what_pydantic_writes_differently_is_rewritten() -> None:
    properties = structural(_Rewritten, people=True)["properties"]
    assert properties["optional"] == {"type": "integer", "description": "Optional."}
    assert properties["one"]["enum"] == ["only"]
    assert properties["above"]["minimum"] == 0
    assert properties["above"]["exclusiveMinimum"] is True


def test_the_longest_deployment_name_makes_legal_names() -> None:
    name, digest = "a" * 40, "sha256:" + "f" * 64
    assert replica_name(name, 999) == "a" * 40 + "-999"
    # the pods of a Deployment add a hash of 10 and a suffix of 5 characters
    assert len(replica_name(name, 999)) + 1 + 10 + 1 + 5 <= 63
    assert claim_name(name, digest) == "a" * 40 + "-" + "f" * 16
    assert len(claim_name(name, digest)) <= 63
    volume = volume_name("n" * 63, name, "00000000-0000-0000-0000-000000000000", digest)
    assert len(volume) == len("escadre-") + 16 + 1 + 16
    assert len(node_weights_label(digest).split("/")[1]) == 52
