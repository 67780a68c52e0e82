"""What the audit log tells of a phase: writes by kind, first writes, what came too late. Pure.

Objects are told apart by name: a child carries the name of its wish, a volume that of its claim's,
which ``volumes`` knows.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from e2e.bench.floor import CHILDREN
from e2e.cluster.audit import OPERATOR, Entry

__all__ = [
    "applied_after_owner",
    "first_children",
    "status_after_children",
    "wish_of",
    "writes_each",
]

_WISH: Final = re.compile(r"model-\d{4}")
_CREATED: Final = 201


def wish_of(entry: Entry, volumes: Mapping[str, str]) -> str:
    """The wish that a request is about; empty where it is about none."""
    found = _WISH.search(entry.name)
    return found.group() if found else volumes.get(entry.name, "")


def writes_each(writes: Iterable[Entry], deployments: int) -> dict[str, float]:
    """Writes for each deployment: of its status, of events, and all there are."""
    known = list(writes)
    status = sum(one.resource == "modeldeployments" for one in known)
    events = sum(one.resource == "events" for one in known)
    counts = {"status": status, "event": events, "all": len(known)}
    return {kind: count / deployments for kind, count in counts.items()}


def first_children(entries: Iterable[Entry], since: Mapping[str, float]) -> dict[str, float]:
    """When the first child of each wish was written that came in after its moment of ``since``."""
    first: dict[str, float] = {}
    for one in entries:
        name = wish_of(one, {})
        if _writes_child(one) and name in since and one.received > since[name]:
            first[name] = min(first.get(name, one.done), one.done)
    return first


def status_after_children(entries: Iterable[Entry], volumes: Mapping[str, str]) -> dict[str, float]:
    """For how many seconds each wish with children had them all and no status yet."""
    children: dict[str, float] = {}
    status: dict[str, float] = {}
    for one in entries:
        name = wish_of(one, volumes)
        if one.user != OPERATOR or not one.writes or not name:
            continue
        if one.resource == "modeldeployments":
            status[name] = min(status.get(name, one.done), one.done)
        elif one.resource in CHILDREN and one.code == _CREATED:
            children[name] = max(children.get(name, one.done), one.done)
    return {name: max(0.0, status[name] - last) for name, last in children.items()}


def applied_after_owner(entries: Iterable[Entry], volumes: Mapping[str, str]) -> list[Entry]:
    """Children that the operator applied by requests that came in when their wish was gone.

    What it takes off a child that goes, such as a finalizer, is no apply.
    """
    known = list(entries)
    gone = {
        one.name: one.done
        for one in known
        if one.resource == "modeldeployments" and one.verb == "delete" and _went_well(one)
    }
    return [
        one
        for one in known
        if one.applies
        and _writes_child(one)
        and one.received > gone.get(wish_of(one, volumes), float("inf"))
    ]


def _writes_child(entry: Entry) -> bool:
    return (
        entry.user == OPERATOR
        and entry.resource in CHILDREN
        and entry.verb in {"create", "patch", "update"}
        and _went_well(entry)
    )


def _went_well(entry: Entry) -> bool:
    return 200 <= entry.code < 300
