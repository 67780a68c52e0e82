"""The CRDs, made from the API models: pydantic's JSON schema turned into structural schemas.

Called by escadre.generate and by tests. What Kubernetes forbids ($ref, null, const, titles…) is
rewritten, and whatever this module does not know how to rewrite is refused, so that a new
construct in a model is noticed here and not by an API server.

Decisions:
* Optional fields become plain optional fields: no nullable, no default.
* Defaults stand in specs only. A default in a status has no field manager and could never be
  removed by server-side apply; the one exception is the default of the whole status, so that
  nothing (kstatus, GitOps tools) takes an object that nobody visited for a healthy one.
* ModelApproval.spec has no defaults at all: people sign the spec as stored.
* A pattern with a message (see ``escadre.api.base.explained``) becomes a CEL rule, because the
  API server answers a failed pattern with the regular expression only. Programs write a status:
  it keeps the cheaper pattern.
* Lists are atomic: one writer each, and small managedFields. Conditions are a map by type.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from escadre.api.base import MESSAGE_KEY, Model
from escadre.api.kinds import Kind, Rule
from escadre.names import CATEGORY, GROUP, NEVER, VERSION
from escadre.reasons import PENDING

__all__ = ["crd", "structural", "walk"]

Schema = dict[str, Any]

_KEPT = (
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
)
_DROPPED = {"title", "$defs"}
_HANDLED = {
    *_KEPT,
    *_DROPPED,
    "$ref",
    "anyOf",
    "const",
    "default",
    "properties",
    "items",
    "additionalProperties",
    "exclusiveMinimum",
    "exclusiveMaximum",
    MESSAGE_KEY,
}
_DATE_TIME_LENGTH = 64
_SPEC_BY_PROGRAM = {"GPUNode"}
_UNSEEN = "Nobody looked at this object yet; check that escadre's operator and agents run."


def structural(model: type[Model], *, people: bool) -> Schema:
    """Structural schema of one model; ``people`` write it: defaults and explained patterns."""
    raw = model.model_json_schema(mode="validation", by_alias=True)
    return _Converter(raw.get("$defs", {}), people).convert(raw, model.__name__)


class _Converter:
    """Rewrites one JSON schema; holds its definitions while it descends."""

    def __init__(self, definitions: Mapping[str, Schema], people: bool) -> None:
        self._definitions = definitions
        self._people = people

    def convert(self, raw: Schema, path: str, above: tuple[str, ...] = ()) -> Schema:
        """The structural form of ``raw``; ``path`` names it in errors, ``above`` its ancestors."""
        raw, above = self._resolve(raw, path, above)
        unknown = {key for key in raw if key not in _HANDLED and not key.startswith("x-kubernetes")}
        if unknown:
            raise ValueError(f"{path}: {sorted(unknown)} cannot stand in a CRD")
        out: Schema = {key: raw[key] for key in _KEPT if key in raw}
        out.update({key: value for key, value in raw.items() if key.startswith("x-kubernetes")})
        if "const" in raw:
            out["enum"] = [raw["const"]]
        _exclusive(raw, out)
        if self._people:
            _explain_pattern(raw, out)
        if raw.get("format") == "date-time":
            out["maxLength"] = _DATE_TIME_LENGTH
        if self._people and raw.get("default") is not None:
            out["default"] = raw["default"]
        self._descend(raw, out, path, above)
        return out

    def _resolve(
        self, raw: Schema, path: str, above: tuple[str, ...]
    ) -> tuple[Schema, tuple[str, ...]]:
        """Inlines references and unwraps optional types until a plain schema is left."""
        while "$ref" in raw or "anyOf" in raw:
            around = {key: value for key, value in raw.items() if key not in {"$ref", "anyOf"}}
            if "$ref" in raw:
                name = raw["$ref"].rsplit("/", 1)[-1]
                if name in above:
                    raise ValueError(f"{path}: {name} contains itself, a CRD cannot say that")
                above = (*above, name)
                raw = {**self._definitions[name], **around}
                continue
            choices = [each for each in raw["anyOf"] if each.get("type") != "null"]
            if len(choices) != 1:
                raise ValueError(f"{path}: a union of {len(choices)} types cannot stand in a CRD")
            raw = {**choices[0], **around}
        return raw, above

    def _descend(self, raw: Schema, out: Schema, path: str, above: tuple[str, ...]) -> None:
        if "properties" in raw:
            out["properties"] = {
                name: self.convert(child, f"{path}.{name}", above)
                for name, child in raw["properties"].items()
            }
        elif isinstance(raw.get("additionalProperties"), dict):
            out["additionalProperties"] = self.convert(
                raw["additionalProperties"], f"{path}.*", above
            )
        if "items" in raw:
            out["items"] = self.convert(raw["items"], f"{path}[]", above)
            out.update({**_list_type(raw["items"]), **_given_list_type(raw)})


def _list_type(items: Schema) -> Schema:
    if items.get("$ref", "").endswith("/Condition"):
        return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {"x-kubernetes-list-type": "atomic"}


def _given_list_type(raw: Schema) -> Schema:
    return {key: value for key, value in raw.items() if key.startswith("x-kubernetes-list")}


def _exclusive(raw: Schema, out: Schema) -> None:
    """Kubernetes writes an exclusive bound as the bound and a flag."""
    for number, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if flag in raw:
            out[number] = raw[flag]
            out[flag] = True


def _explain_pattern(raw: Schema, out: Schema) -> None:
    """Turns a pattern that has a message into a CEL rule with that message."""
    if MESSAGE_KEY not in raw:
        return
    pattern = out.pop("pattern")
    out.pop("minLength", None)  # the pattern says it, and a second error would hide the message
    quoted = pattern.replace("\\", "\\\\").replace("'", "\\'")
    out["x-kubernetes-validations"] = [
        {"rule": f"self.matches('{quoted}')", "message": raw[MESSAGE_KEY]}
    ]


def crd(kind: Kind) -> Schema:
    """The whole CustomResourceDefinition of one kind, as an object ready to be dumped."""
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [_column(kind, index) for index in range(len(kind.columns))],
        "schema": {"openAPIV3Schema": _root(kind)},
    }
    if kind.status is not None:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": [CATEGORY],
            },
            "scope": kind.scope,
            "versions": [version],
        },
    }


def _column(kind: Kind, index: int) -> Schema:
    column = kind.columns[index]
    out: Schema = {"name": column.name, "type": column.type, "jsonPath": column.json_path}
    if column.description:
        out["description"] = column.description
    if column.priority:
        out["priority"] = column.priority
    return out


def _root(kind: Kind) -> Schema:
    spec = structural(kind.spec, people=kind.kind not in _SPEC_BY_PROGRAM)
    _add_rules(spec, kind.spec_rules)
    if kind.kind == "ModelApproval":
        _refuse_defaults(spec)
    root: Schema = {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "type": "string",
                "description": f"{GROUP}/{VERSION}.",
                "maxLength": 128,
            },
            "kind": {"type": "string", "description": f"{kind.kind}.", "maxLength": 128},
            "metadata": {"type": "object"},  # Kubernetes forbids to say more about it
            "spec": spec,
        },
    }
    if kind.status is not None:
        status = structural(kind.status, people=False)
        if kind.default_conditions:
            status["default"] = _unseen(kind.default_conditions, status["properties"])
        root["properties"]["status"] = status
    _add_rules(root, kind.rules)
    return root


def _add_rules(schema: Schema, rules: tuple[Rule, ...]) -> None:
    if rules:
        schema["x-kubernetes-validations"] = [
            {"rule": each.rule, "message": each.message} for each in rules
        ]


def _unseen(types: tuple[str, ...], properties: Schema) -> Schema:
    """The status of an object that nobody visited; kinds judged by agents have no generation."""
    generation = {"observedGeneration": -1} if "observedGeneration" in properties else {}
    return {
        **generation,
        "conditions": [
            {
                "type": str(each),
                "status": "Unknown",
                "reason": PENDING.name,
                "message": _UNSEEN,
                "lastTransitionTime": NEVER,
            }
            for each in types
        ],
    }


def _refuse_defaults(spec: Schema) -> None:
    for path, schema in walk(spec, "spec"):
        if "default" in schema:
            raise ValueError(
                f"ModelApproval.{path} has a default: people sign the spec as stored, so a "
                "default would change what they signed"
            )


def walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every schema at and below ``schema`` with its path, parents first."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}.*")
