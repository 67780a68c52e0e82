"""JSON Schemas of all kinds of a live API server, as kubeconform reads them.

Kubeconform's own schemas lie on the internet; the API server publishes the same facts.
"""

import json
from pathlib import Path
from typing import Any, Final

from e2e.cluster.cluster import Cluster

__all__ = ["TEMPLATE", "write_schemas"]

TEMPLATE: Final = "{{ .ResourceKind }}-{{ .ResourceAPIVersion }}.json"

_PREFIX: Final = "#/definitions/"
_INT_OR_STRING: Final = {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def _resolve(node: Any, definitions: dict[str, Any], within: tuple[str, ...]) -> Any:
    """``node`` without references; a kind that contains itself is left open there."""
    if isinstance(node, list):
        return [_resolve(one, definitions, within) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].removeprefix(_PREFIX)
        if name in within:
            return {}
        return _resolve(definitions[name], definitions, (*within, name))
    if node.get("format") == "int-or-string":
        return _INT_OR_STRING
    resolved = {
        key: _resolve(value, definitions, within)
        for key, value in node.items()
        if not key.startswith("x-kubernetes-") and key not in {"description", "properties"}
    }
    if "properties" in node:  # its keys are names of fields, whatever they look like
        resolved["properties"] = {
            field: _resolve(schema, definitions, within)
            for field, schema in node["properties"].items()
        }
        resolved.setdefault("additionalProperties", False)
    return resolved


def write_schemas(cluster: Cluster, folder: Path, kinds: set[str]) -> None:
    """One file per kind and version, named as ``TEMPLATE`` says, unknown fields refused."""
    definitions = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2"))["definitions"]
    for name, definition in definitions.items():
        for one in definition.get("x-kubernetes-group-version-kind", []):
            if one["kind"] in kinds:
                path = folder / f"{one['kind'].lower()}-{one['version']}.json"
                path.write_text(json.dumps(_resolve(definition, definitions, (name,))))
