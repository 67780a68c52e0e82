"""Whether a live object holds an intent, and what a foreign hand added to a pod template.

Server-side apply mends fields we own; it does not remove an environment variable or a container
that somebody else added. ``foreign_items`` finds those in the lists that Kubernetes merges by name.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

__all__ = ["foreign_items", "holds"]

_NAMED_LISTS: Final = (
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "env",
    "volumeMounts",
    "volumeDevices",
    "ports",
    "envFrom",
)
_KEYS: Final = ("name", "containerPort", "mountPath", "type", "uid")


def holds(intent: Any, live: Any) -> bool:
    """Whether ``live`` has everything ``intent`` says; more in ``live`` (defaults) is fine.

    Lists merged by a key are matched by it; other lists must be equal in length and order.
    """
    if isinstance(intent, Mapping):
        return isinstance(live, Mapping) and all(
            _holds_field(value, live.get(key)) for key, value in intent.items()
        )
    if isinstance(intent, list):
        return isinstance(live, list) and _holds_list(intent, live)
    return bool(intent == live)


def _holds_field(value: Any, live: Any) -> bool:
    # The API server drops empty maps and lists of optional fields.
    if live is None and (value is None or value in ({}, [])):
        return True
    return holds(value, live)


def _holds_list(intent: Sequence[Any], live: Sequence[Any]) -> bool:
    key = _merge_key(intent)
    if key is None:
        return len(intent) == len(live) and all(
            holds(one, other) for one, other in zip(intent, live, strict=True)
        )
    by_key = {item.get(key): item for item in live if isinstance(item, Mapping)}
    return all(item[key] in by_key and holds(item, by_key[item[key]]) for item in intent)


def _merge_key(items: Sequence[Any]) -> str | None:
    if not items or not all(isinstance(item, Mapping) for item in items):
        return None
    for key in _KEYS:
        if all(key in item for item in items):
            values = [item[key] for item in items]
            return key if len(set(values)) == len(values) else None
    return None


def foreign_items(intent: Mapping[str, Any], live: Mapping[str, Any], at: str) -> list[str]:
    """JSON pointers of list items in a live pod template that the intent does not have.

    Sorted so that removing them one after the other keeps the later pointers right.

    Args:
        intent: the pod template as it should be.
        live: the pod template as it is.
        at: pointer of the template in its object, e.g. ``/spec/template``.
    """
    found: list[str] = []
    _collect(intent, live, at, found)
    return sorted(found, key=_depth_then_index, reverse=True)


def _collect(intent: Mapping[str, Any], live: Mapping[str, Any], at: str, found: list[str]) -> None:
    for key, value in live.items():
        if key in _NAMED_LISTS and isinstance(value, list):
            _collect_list(intent.get(key) or [], value, f"{at}/{key}", found)
        elif isinstance(value, Mapping) and isinstance(intent.get(key), Mapping):
            _collect(intent[key], value, f"{at}/{key}", found)


def _collect_list(intent: Sequence[Any], live: Sequence[Any], at: str, found: list[str]) -> None:
    key = _merge_key(live)
    if key is None:
        return
    wanted = {item.get(key): item for item in intent}
    for index, item in enumerate(live):
        if item[key] not in wanted:
            found.append(f"{at}/{index}")
        else:
            _collect(wanted[item[key]], item, f"{at}/{index}", found)


def _depth_then_index(pointer: str) -> tuple[int, tuple[str, ...], int]:
    parts = pointer.split("/")
    return len(parts), tuple(parts[:-1]), int(parts[-1])
