"""Reads a file of wishes for `escadre plan`: ModelDeployments and ModelApprovals, strictly.

The API server judges for real when the file is applied; this says the same beforehand for what
people mistype most: unknown fields, wrong types, bounds, fields that contradict each other. Pure.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.base import Model
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.schema import structural
from escadre.errors import Refusal
from escadre.names import API_VERSION

__all__ = ["ApprovalWish", "DeploymentWish", "Wishes", "read_wishes"]

_LONGEST_NAME = 40
_SPECS: Mapping[str, type[Model]] = {
    "ModelDeployment": ModelDeploymentSpec,
    "ModelApproval": ModelApprovalSpec,
}


@dataclass(frozen=True, slots=True)
class DeploymentWish:
    """A ModelDeployment of the file."""

    namespace: str
    name: str
    spec: ModelDeploymentSpec


@dataclass(frozen=True, slots=True)
class ApprovalWish:
    """A ModelApproval of the file."""

    name: str
    spec: ModelApprovalSpec


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything of the file that planning uses."""

    deployments: tuple[DeploymentWish, ...]
    approvals: Mapping[str, ApprovalWish]


def read_wishes(text: str, source: str, namespace: str) -> Wishes:
    """Reads YAML or JSON documents; ``namespace`` is for those that name none.

    Raises:
        Refusal: InvalidSpec, naming document, field and what is wrong with it; or nothing to plan.
    """
    deployments: list[DeploymentWish] = []
    approvals: dict[str, ApprovalWish] = {}
    for number, body in _documents(text, source):
        kind, name = str(body.get("kind")), str((body.get("metadata") or {}).get("name", ""))
        if body.get("apiVersion") != API_VERSION or kind not in _SPECS:
            continue  # a file may hold namespaces, mirrors and the like beside the wishes
        where = f"{source}, document {number}, {kind} {name or 'without a name'}"
        spec = _spec(body, kind, where)
        if isinstance(spec, ModelDeploymentSpec):
            _check(name, spec, where)
            wished = (body["metadata"] or {}).get("namespace") or namespace
            deployments.append(DeploymentWish(wished, name, spec))
        elif isinstance(spec, ModelApprovalSpec):
            approvals[name] = ApprovalWish(name, spec)
    if not deployments:
        raise Refusal("InvalidSpec", f"{source}: no ModelDeployment of {API_VERSION} in it")
    return Wishes(tuple(deployments), approvals)


def _documents(text: str, source: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        found = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise Refusal("InvalidSpec", f"{source}: not YAML: {error}") from error
    for number, body in enumerate(found, start=1):
        if not isinstance(body, dict):
            continue
        if body.get("kind") == "List":
            yield from ((number, item) for item in body.get("items") or ())
        else:
            yield number, body


def _spec(body: dict[str, Any], kind: str, where: str) -> Model:
    model, raw = _SPECS[kind], body.get("spec") or {}
    for path in _unknown(structural(model, people=True), raw, "spec"):
        raise Refusal("InvalidSpec", f"{where}: {path}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in ("spec", *first["loc"]))
        raise Refusal("InvalidSpec", f"{where}: {field}: {first['msg']}") from error


def _unknown(schema: Mapping[str, Any], value: Any, path: str) -> Iterator[str]:
    """Fields that the schema does not have, each with the nearest that it has."""
    if isinstance(value, dict) and "properties" in schema:
        for name, child in value.items():
            if name in schema["properties"]:
                yield from _unknown(schema["properties"][name], child, f"{path}.{name}")
                continue
            close = difflib.get_close_matches(str(name), schema["properties"], n=1)
            yield f"{path}.{name}: unknown field" + (f"; near it: {close[0]}" if close else "")
    elif isinstance(value, list) and "items" in schema:
        for index, child in enumerate(value):
            yield from _unknown(schema["items"], child, f"{path}[{index}]")


def _check(name: str, spec: ModelDeploymentSpec, where: str) -> None:
    scaling = spec.scaling
    if not name or len(name) > _LONGEST_NAME:
        raise Refusal(
            "InvalidSpec", f"{where}: metadata.name needs 1 to {_LONGEST_NAME} characters"
        )
    if scaling.min_replicas > scaling.max_replicas:
        raise Refusal(
            "InvalidSpec",
            f"{where}: spec.scaling.minReplicas {scaling.min_replicas} is more than maxReplicas "
            f"{scaling.max_replicas}",
        )
