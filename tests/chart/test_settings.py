"""The settings file that the chart renders is the one that the processes read."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from tests.chart.rendering import CHART, CI_VALUES, Json, render

from escadre.settings import (
    AgentSettings,
    ApprovalSettings,
    EngineSettings,
    NetworkSettings,
    OperatorSettings,
    ScalingSettings,
    Settings,
    load,
)

SECTIONS: dict[str, type[BaseModel]] = {
    "engine": EngineSettings,
    "approvals": ApprovalSettings,
    "scaling": ScalingSettings,
    "network": NetworkSettings,
    "operator": OperatorSettings,
    "agent": AgentSettings,
}
# Values of a section that are about its pods, not about its process.
POD_VALUES = {
    "operator": {
        "replicas",
        "resources",
        "nodeSelector",
        "tolerations",
        "affinity",
        "priorityClassName",
    },
    "agent": {
        "resources",
        "nodeSelector",
        "tolerations",
        "priorityClassName",
        "runtimeClassName",
        "maxUnavailable",
    },
}
# The store's path is a fact of the product: volumes name it. Only tests set another one.
NOT_A_VALUE = {"agent": {"storePath"}}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum")


def _settings(values: str, folder: Path) -> Settings:
    path = folder / "config.yaml"
    path.write_text(render(values).get("ConfigMap", "escadre")["data"]["config.yaml"])
    return load(path)


def _leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, dict) and tree:
        found: dict[str, Any] = {}
        for key, value in tree.items():
            found |= _leaves(value, f"{path}.{key}")
        return found
    return {path: tree}


def test_default_values_are_the_defaults_of_the_settings(tmp_path: Path) -> None:
    rendered = _settings("default", tmp_path)
    expected = Settings(
        engine=EngineSettings(
            image=rendered.engine.image,
            # The only default of the chart that the processes do not have: the usual GPU taint.
            tolerations=[{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        ),
        policies=rendered.policies,
    )
    assert rendered == expected


def test_every_value_reaches_the_settings(tmp_path: Path) -> None:
    values = yaml.safe_load((CHART / "ci" / "full-values.yaml").read_text())
    rendered = _settings("full", tmp_path).model_dump(mode="json", by_alias=True)
    for section in SECTIONS:
        for key, value in values[section].items():
            if key not in POD_VALUES.get(section, set()):
                given = [one["name"] for one in value] if key == "mirrorFolders" else value
                assert rendered[section][key] == given, f"{section}.{key}"


def test_full_values_change_every_value() -> None:
    default = _leaves(yaml.safe_load((CHART / "values.yaml").read_text()))
    full = _leaves(yaml.safe_load((CHART / "ci" / "full-values.yaml").read_text()))
    same = {path for path, value in full.items() if default.get(path, ...) == value}
    assert same == {".networkPolicies.enabled"}
    assert [
        path for path in default if not any(f"{one}.".startswith(f"{path}.") for one in full)
    ] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_value_bounds_are_those_of_the_settings(section: str) -> None:
    model = SECTIONS[section].model_json_schema(by_alias=True)
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"][section]
    keys = set(model["properties"]) - NOT_A_VALUE.get(section, set())
    assert set(schema["properties"]) == keys | POD_VALUES.get(section, set())
    for key in keys:
        wanted, written = _given(model["properties"][key]), schema["properties"][key]
        assert {k: wanted[k] for k in BOUNDS if k in wanted} == {
            k: written[k] for k in BOUNDS if k in written
        }, f"{section}.{key}"


def _given(schema: Json) -> Json:
    """Of a value that may be unset the bounds where it is set."""
    return next((one for one in schema.get("anyOf", ()) if one != {"type": "null"}), schema)


def _objects(schema: Json, path: str = "") -> dict[str, Json]:
    found: dict[str, Json] = {}
    if "properties" in schema:
        found[path] = schema
        for key, child in schema["properties"].items():
            found |= _objects(child, f"{path}.{key}")
    return found


def test_unknown_values_are_refused_everywhere() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    for path, one in _objects(schema).items():
        assert one["additionalProperties"] is False, path or "(root)"


@pytest.mark.parametrize("values", CI_VALUES)
def test_settings_file_carries_the_four_eyes_policies_as_they_are_installed(
    values: str, tmp_path: Path
) -> None:
    expectations = _settings(values, tmp_path).policies
    names = {"escadre-approvals", "escadre-signatures", "escadre-revocations"}
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert {one.name for one in expectations if one.kind == kind} == names
    for one in expectations:
        assert render(values).get(one.kind, one.name)["spec"] == one.spec
