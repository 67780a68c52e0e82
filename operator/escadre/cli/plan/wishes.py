"""Reads the wishes for `escadre plan`: ModelDeployments and ModelApprovals, strictly.

A ModelMirror beside them is judged as strictly, and no more.

The API server judges for real when the files are applied; this says the same beforehand for what
people mistype most: unknown fields, wrong types, bounds, fields that contradict each other. Pure.
"""

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from escadre import reasons
from escadre.api.agreements import disagreement
from escadre.api.approval import ModelApprovalSpec
from escadre.api.base import Model
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.mirror import ModelMirrorSpec
from escadre.api.mirrorrules import broken_rule
from escadre.api.schema import structural
from escadre.cli.plan.fields import faults, unknown
from escadre.cli.plan.wishfiles import WishText, documents
from escadre.cli.shared.naming import namespace_fault, object_fault
from escadre.cli.shared.patterns import rule_of
from escadre.clients.kube import OURS
from escadre.core.listing import listed
from escadre.errors import EscadreError, Refusal
from escadre.fieldfaults import place_of, shown, words_of
from escadre.names import API_VERSION, DEPLOYMENT_NAME, DEPLOYMENT_NAME_LENGTH

__all__ = ["ApprovalWish", "DeploymentWish", "Wishes", "read_wishes"]

_FIELDS: Final = ("apiVersion", "kind", "metadata", "spec", "status")
# What people write of it, and what the API server adds to what is read from it.
_METADATA: Final = (
    *("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"),
    *("generateName", "uid", "resourceVersion", "generation", "creationTimestamp"),
    *("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "selfLink"),
)
_NAMED: Final = 3
_TOLD: Final = 10  # mistakes of one document
_SPECS: Mapping[str, type[Model]] = {
    "ModelDeployment": ModelDeploymentSpec,
    "ModelApproval": ModelApprovalSpec,
    "ModelMirror": ModelMirrorSpec,
}
_KINDS: Final = {one.kind.lower(): one.kind for one in OURS}


@dataclass(frozen=True, slots=True)
class DeploymentWish:
    """A ModelDeployment of a file."""

    namespace: str
    name: str
    spec: ModelDeploymentSpec


@dataclass(frozen=True, slots=True)
class ApprovalWish:
    """A ModelApproval of a file."""

    name: str
    spec: ModelApprovalSpec


@dataclass(frozen=True, slots=True)
class Wishes:
    """Everything of the files that planning uses; ``notes`` say of which it uses nothing."""

    deployments: tuple[DeploymentWish, ...]
    approvals: Mapping[str, ApprovalWish]
    notes: tuple[str, ...] = ()


def read_wishes(texts: Sequence[WishText], namespace: str) -> Wishes:
    """Reads YAML or JSON documents; ``namespace`` is for those that name none.

    Raises:
        Refusal: InvalidSpec, naming document, field and what is wrong with it.
        EscadreError: no YAML, or nothing to plan.
    """
    deployments: dict[tuple[str, str], DeploymentWish] = {}
    approvals: dict[str, ApprovalWish] = {}
    used: set[str] = set()
    for one in _ours(texts):
        where, name, spec = one.where, one.name, one.spec
        if isinstance(spec, ModelDeploymentSpec):
            used.add(one.source)
            _check(name, spec, where)
            wish = DeploymentWish(_namespace(one.meta, namespace, where), name, spec)
            called = f"ModelDeployment {wish.namespace}/{name}"
            _refuse_second((wish.namespace, name) in deployments, called, where)
            deployments[wish.namespace, name] = wish
        elif isinstance(spec, ModelApprovalSpec):
            used.add(one.source)
            _refuse(where, "metadata.name", name, object_fault(name))
            _refuse_second(name in approvals, f"ModelApproval {name}", where)
            approvals[name] = ApprovalWish(name, spec)
        elif isinstance(spec, ModelMirrorSpec):  # applied beside them; nothing of it is planned
            _refuse(where, "metadata.name", name, object_fault(name))
            if words := broken_rule(spec):
                raise Refusal(reasons.INVALID_SPEC, f"{where}: spec: {words}")
    if not deployments:
        raise EscadreError(_none_in(texts))
    return Wishes(tuple(deployments.values()), approvals, _unused(texts, used))


@dataclass(frozen=True, slots=True)
class _Object:
    """One of ours in a file, as messages call it."""

    source: str
    where: str
    name: str
    meta: Mapping[str, Any]
    spec: Model


def _ours(texts: Sequence[WishText]) -> Iterator[_Object]:
    """Those that people write, judged; a file may hold namespaces and the like beside them."""
    for source, number, body in documents(texts):
        if not isinstance(body, dict):
            raise EscadreError(
                f"{source}, document {number}: {shown(body)} is no object; one with apiVersion "
                "and kind is meant"
            )
        kind, meta = str(body.get("kind")), body.get("metadata") or {}
        _refuse_misspelt(body, f"{source}, document {number}")
        if body.get("apiVersion") == API_VERSION and kind in _SPECS:
            name = str(meta.get("name", "")) if isinstance(meta, dict) else ""
            where = f"{source}, document {number}, {kind} {name or 'without a name'}"
            yield _Object(source, where, name, meta, _spec(body, kind, where))


def _unused(texts: Sequence[WishText], used: Container[str]) -> tuple[str, ...]:
    return tuple(
        f"{one.source}: neither a ModelDeployment nor a ModelApproval is in it, so nothing of it "
        "is planned."
        for one in texts
        if one.source not in used
    )


def _refuse_misspelt(body: Mapping[str, Any], where: str) -> None:
    """What is meant for us and called otherwise would be left out without a word."""
    if not body.get("apiVersion") and not body.get("kind"):
        raise Refusal(
            reasons.INVALID_SPEC, f"{where}: an object without apiVersion and kind; both are meant"
        )
    version, kind = str(body.get("apiVersion")), str(body.get("kind"))
    ours = _KINDS.get(kind.lower())
    group = version.partition("/")[0] == API_VERSION.partition("/")[0]
    if not group and ours is None:
        return
    if version != API_VERSION:
        raise Refusal(
            reasons.INVALID_SPEC,
            f"{where}, {kind}: apiVersion: {shown(body.get('apiVersion'))} is given; "
            f"{API_VERSION} is meant",
        )
    if kind != ours:
        meant = ours or " or ".join(_KINDS.values())
        raise Refusal(
            reasons.INVALID_SPEC,
            f"{where}: kind: {shown(body.get('kind'))} is given; {meant} is meant",
        )


def _none_in(texts: Sequence[WishText]) -> str:
    """What to say of files without a wish, with what is there instead."""
    sources = ", ".join(each.source for each in texts)
    kinds = {
        f"{body.get('kind')} of {body.get('apiVersion')}": None for *_, body in documents(texts)
    }
    found = f", only {listed(list(kinds), _NAMED)}" if kinds else ", nor any other object"
    return f"{sources}: no ModelDeployment of {API_VERSION} in it{found}"


def _refuse_second(known: bool, called: str, where: str) -> None:
    if known:
        raise Refusal(
            reasons.INVALID_SPEC,
            f"{where}: metadata.name: a second {called}; only one of them can be planned with",
        )


def _namespace(meta: Mapping[str, Any], default: str, where: str) -> str:
    """The namespace that the object names; ``default``, which is one, where it names none."""
    given = meta.get("namespace")
    if given is None or given == "":
        return default
    fault = namespace_fault(given) if isinstance(given, str) else "a text is meant"
    _refuse(where, "metadata.namespace", given, fault)
    return str(given)


def _refuse(where: str, field: str, value: object, fault: str) -> None:
    if fault:
        raise Refusal(reasons.INVALID_SPEC, f"{where}: {field}: {shown(value)}: {fault}")


def _spec(body: dict[str, Any], kind: str, where: str) -> Model:
    model, raw = _SPECS[kind], body.get("spec")
    raw = {} if raw is None else raw
    found = [*_beside(body), *faults(structural(model, people=True), raw, "spec")]
    try:
        spec = model.model_validate(_without_nulls(raw))
    except ValidationError as error:
        wrong = [one for one in error.errors() if not found or rule_of(model, one)]
        found += [f"{place_of(one['loc'], 'spec')}: {_words(model, one)}" for one in wrong]
        raise _mistakes(where, found) from error
    if found:
        raise _mistakes(where, found)
    return spec


def _without_nulls(value: Any) -> Any:
    """As the API server takes it, which drops the fields that are null before it adds defaults."""
    if isinstance(value, dict):
        return {name: _without_nulls(one) for name, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _beside(body: Mapping[str, Any]) -> Iterator[str]:
    """What stands beside the spec and is none of an object's fields."""
    for field in body:
        if field not in _FIELDS:
            yield f"{field}: {unknown(field, _FIELDS)}"
    meta = body.get("metadata")
    for field in meta if isinstance(meta, dict) else ():
        if field not in _METADATA:
            yield f"metadata.{field}: {unknown(field, _METADATA)}"


def _words(model: type[Model], error: ErrorDetails) -> str:
    rule = rule_of(model, error)
    return f"{shown(error['input'])}: {rule}" if rule else words_of(error)


def _mistakes(where: str, found: Sequence[str]) -> Refusal:
    """All of a document at once, so that nobody has to run it again for each."""
    if len(found) == 1:
        return Refusal(reasons.INVALID_SPEC, f"{where}: {found[0]}")
    lines = [f"  {one}" for one in found[:_TOLD]]
    if len(found) > _TOLD:
        lines.append(f"  and {len(found) - _TOLD} more")
    return Refusal(reasons.INVALID_SPEC, "\n".join([f"{where}: {len(found)} mistakes", *lines]))


def _check(name: str, spec: ModelDeploymentSpec, where: str) -> None:
    if len(name) > DEPLOYMENT_NAME_LENGTH or not re.fullmatch(DEPLOYMENT_NAME, name):
        raise Refusal(
            reasons.INVALID_SPEC,
            f"{where}: metadata.name must begin with a lower-case letter, hold lower-case "
            "letters, digits and - only, end with a letter or digit and have "
            f"{DEPLOYMENT_NAME_LENGTH} characters at most",
        )
    if words := disagreement(spec):
        raise Refusal(reasons.INVALID_SPEC, f"{where}: spec.{words}")
