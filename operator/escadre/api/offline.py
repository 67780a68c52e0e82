"""Closed JSON schemas of the kinds, for checks without a cluster (kubeconform, editors).

Made of the CRDs' own schemas, so that they cannot say anything else; a field that no kind has is
refused at every level, as ``kubectl apply`` does on the cluster. Called by escadre.generate.
"""

from typing import Any, Final

from escadre.api.kinds import Kind
from escadre.api.schema import crd
from escadre.names import API_VERSION

__all__ = ["offline_schema"]

Schema = dict[str, Any]

_DIALECT: Final = "http://json-schema.org/draft-07/schema#"
_STRINGS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
_TEXTS: Final = (
    *("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink"),
    *("creationTimestamp", "deletionTimestamp"),
)
_NUMBERS: Final = ("generation", "deletionGracePeriodSeconds")
# Of ObjectMeta, which a CRD may not describe; the parts that only the API server writes are open.
_METADATA: Final[Schema] = {
    "type": "object",
    "properties": {
        **{name: {"type": ["string", "null"]} for name in _TEXTS},
        **{name: {"type": "integer"} for name in _NUMBERS},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {"type": "array", "items": {"type": "string"}},
        "managedFields": {"type": "array"},
        "ownerReferences": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["apiVersion", "kind", "name", "uid"],
                "properties": {
                    **{name: {"type": "string"} for name in ("apiVersion", "kind", "name", "uid")},
                    "controller": {"type": "boolean"},
                    "blockOwnerDeletion": {"type": "boolean"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def offline_schema(kind: Kind) -> Schema:
    """The schema of one kind with nothing open, as JSON Schema of draft 7."""
    root = crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    closed = _closed(root)
    closed["properties"] |= {
        "apiVersion": {"const": API_VERSION},
        "kind": {"const": kind.kind},
        "metadata": _METADATA,
    }
    closed["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return {"$schema": _DIALECT, "title": kind.kind, **closed}


def _closed(schema: Schema) -> Schema:
    """Without what only the API server understands; an object takes the fields it names."""
    out = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if "items" in schema:
        out["items"] = _closed(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = _closed(schema["additionalProperties"])
    if "properties" in schema:
        out["properties"] = {name: _closed(one) for name, one in schema["properties"].items()}
        out.setdefault("additionalProperties", False)
    return out
