"""How the fake API server changes an object: apply, merge patch, JSON patch. Pure.

Apply is the whole intent of one manager: what its last intent set and this one leaves out goes,
whoever else may have wanted it too; finer ownership is tested on the real server.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["PatchFailed", "apply_intent", "clone", "json_patch", "merge_patch"]

Json = dict[str, Any]

# Lists that merge by key in every schema we use; all others are replaced whole.
_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),
    "ownerReferences": ("uid",),
    "imagePullSecrets": ("name",),
}
_DEFAULTS = {"protocol": "TCP"}


class PatchFailed(Exception):
    """A JSON patch that does not fit the object (a test failed, a path is missing)."""


def clone(obj: Any) -> Any:
    """A deep copy of JSON."""
    return json.loads(json.dumps(obj))


def apply_intent(live: Json, intent: Json, previous: Json) -> Json:
    """``live`` after one manager's ``intent``, whose last one was ``previous``."""
    merged: Json = _merge(clone(live), clone(intent), previous, "")
    return merged


def _merge(live: Any, intent: Any, previous: Any, field: str) -> Any:
    if isinstance(live, dict) and isinstance(intent, dict):
        return _merge_dict(live, intent, previous if isinstance(previous, dict) else {})
    if isinstance(live, list) and isinstance(intent, list):
        if field == "finalizers":
            return [*live, *(each for each in intent if each not in live)]
        if field in _LIST_KEYS:
            old = previous if isinstance(previous, list) else []
            return _merge_list(live, intent, old, field)
    return intent


def _merge_dict(live: Json, intent: Json, previous: Json) -> Json:
    for key, old in previous.items():
        if key not in intent and key in live:
            rest = _without(live[key], old, key)
            if rest is None:
                del live[key]
            else:
                live[key] = rest
    for key, wanted in intent.items():
        live[key] = _merge(live.get(key), wanted, previous.get(key), key)
    return live


def _merge_list(live: list[Any], intent: list[Any], previous: list[Any], field: str) -> list[Any]:
    held, wanted, old = (_keyed(each, field) for each in (live, intent, previous))
    merged = [_merge(held.get(key), item, old.get(key), "") for key, item in wanted.items()]
    for key, item in held.items():
        if key in wanted:
            continue
        rest = _without(item, old[key], "") if key in old else item
        if rest is not None and not (key in old and set(rest) <= set(_LIST_KEYS[field])):
            merged.append(rest)
    return merged


def _without(live: Any, owned: Any, field: str) -> Any:
    """``live`` less what ``owned`` set; None when nothing is left."""
    if isinstance(live, dict) and isinstance(owned, dict):
        for key, old in owned.items():
            if key in live:
                rest = _without(live[key], old, key)
                if rest is None:
                    del live[key]
                else:
                    live[key] = rest
        return live or None
    if isinstance(live, list) and isinstance(owned, list) and field in _LIST_KEYS:
        return _merge_list(live, [], owned, field) or None
    return None


def _keyed(items: list[Any], field: str) -> dict[tuple[Any, ...], Any]:
    keys = _LIST_KEYS[field]
    return {tuple(item.get(key, _DEFAULTS.get(key)) for key in keys): item for item in items}


def merge_patch(live: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(live: Json, operations: Sequence[Json]) -> Json:
    """RFC 6902: add, replace, remove, test."""
    changed: Json = clone(live)
    for operation in operations:
        parts = [
            each.replace("~1", "/").replace("~0", "~") for each in operation["path"].split("/")
        ]
        _operate(changed, parts[1:], operation)
    return changed


def _operate(root: Json, path: list[str], operation: Json) -> None:
    parent: Any = root
    try:
        for part in path[:-1]:
            parent = parent[int(part)] if isinstance(parent, list) else parent[part]
        last: Any = path[-1]
        if isinstance(parent, list):
            last = len(parent) if last == "-" else int(last)
        _OPERATIONS[operation["op"]](parent, last, operation)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise PatchFailed(f"{operation['op']} {operation['path']}: {error!r}") from error


def _add(parent: Any, last: Any, operation: Json) -> None:
    if isinstance(parent, list):
        parent.insert(last, operation["value"])
    else:
        parent[last] = operation["value"]


def _replace(parent: Any, last: Any, operation: Json) -> None:
    _ = parent[last]
    parent[last] = operation["value"]


def _remove(parent: Any, last: Any, _: Json) -> None:
    del parent[last]


def _test(parent: Any, last: Any, operation: Json) -> None:
    if parent[last] != operation["value"]:
        raise PatchFailed(f"test {operation['path']}: is {parent[last]!r}")


_OPERATIONS = {"add": _add, "replace": _replace, "remove": _remove, "test": _test}
