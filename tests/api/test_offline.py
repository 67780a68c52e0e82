"""The shipped JSON schemas refuse, without a cluster, what the API server would refuse."""

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.cluster.binaries import find_programs
from e2e.cluster.programs import Tier
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

from escadre.api.kinds import KINDS
from escadre.api.schema import walk
from escadre.names import GROUP

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "crds" / "schemas"
TEMPLATE = "{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json"


def _schema(kind: str) -> Json:
    found: Json = json.loads((SCHEMAS / GROUP / f"{kind.lower()}_v1alpha1.json").read_text())
    return found


def _examples() -> Iterator[tuple[str, Json]]:
    for path in sorted((ROOT / "examples").glob("*/*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document and document["apiVersion"].startswith(GROUP):
                yield (
                    f"{path.parent.name}/{document['kind']}/{document['metadata']['name']}",
                    document,
                )


EXAMPLES = dict(_examples())


def _objects(value: Any, path: str = "") -> Iterator[str]:
    """JSON pointers of every object in a value whose keys are fields."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from _objects(inner, f"{path}/{key}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _objects(inner, f"{path}/{index}")


def _at(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        document = document[int(step) if isinstance(document, list) else step]
    return document


@pytest.mark.parametrize("kind", [one.kind for one in KINDS])
def test_no_object_of_a_kind_is_open(kind: str) -> None:
    schema = _schema(kind)
    Draft7Validator.check_schema(schema)
    for path, node in walk(schema, kind):
        if "properties" in node:
            assert node["additionalProperties"] is False, path


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_passes(name: str) -> None:
    document = EXAMPLES[name]
    errors = [
        one.message for one in Draft7Validator(_schema(document["kind"])).iter_errors(document)
    ]
    assert errors == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_misspelt_field_is_refused_at_every_level(name: str) -> None:
    document = EXAMPLES[name]
    validator = Draft7Validator(_schema(document["kind"]))
    for pointer in _objects(document):
        wrong = copy.deepcopy(document)
        _at(wrong, pointer)["concurency"] = 4
        assert not validator.is_valid(wrong), pointer


def test_kubeconform_refuses_what_is_misspelt(tmp_path: Path) -> None:
    program = find_programs(Tier.TEST).get("kubeconform")
    if program is None:
        pytest.skip("kubeconform is not built yet: make binaries")

    def check(document: Json) -> "subprocess.CompletedProcess[str]":
        (tmp_path / "wish.yaml").write_text(yaml.safe_dump(document))
        return subprocess.run(
            [
                str(program.path),
                "-strict",
                "-schema-location",
                f"{SCHEMAS}/{TEMPLATE}",
                str(tmp_path / "wish.yaml"),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    wish = next(one for one in EXAMPLES.values() if one["kind"] == "ModelDeployment")
    assert check(wish).returncode == 0
    refused = check({**wish, "spec": {**wish["spec"], "concurency": 4}})
    assert refused.returncode == 1
    assert "concurency" in refused.stdout
