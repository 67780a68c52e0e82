"""The floor: the same objects applied by a client that does nothing else.

What the operator applied is read back from the live objects through the fields its manager owns,
so the bodies are the ones it sent. The client encodes them before the clock starts, sends them
over as many connections as the operator has workers, and throws the answers away.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from e2e.bench.client import APPLY, BareClient, Request

__all__ = ["CHILDREN", "Body", "apply_all", "intents"]

Json = dict[str, Any]
# Path of the collection and kind, in the order in which the operator applies them.
CHILDREN: Final[Mapping[str, str]] = {
    "services": "api/v1/namespaces/{namespace}/services",
    "networkpolicies": "apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
    "poddisruptionbudgets": "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "persistentvolumes": "api/v1/persistentvolumes",
    "persistentvolumeclaims": "api/v1/namespaces/{namespace}/persistentvolumeclaims",
    "deployments": "apis/apps/v1/namespaces/{namespace}/deployments",
}
_MANAGER: Final = "escadre"
_QUERY: Final = f"?fieldManager={_MANAGER}&force=true"
_OURS: Final = "app.kubernetes.io%2Fmanaged-by%3Descadre"


@dataclass(frozen=True, slots=True)
class Body:
    """One apply, ready to be sent."""

    path: str
    text: str  # JSON; the uid of the owner stands in it and is replaced by the new owner's
    owner: str  # uid


def _owned(value: Any, fields: Json) -> Any:
    """The part of ``value`` that a manager owns, from its ``fieldsV1``."""
    inner = {key: sub for key, sub in fields.items() if key != "."}
    if not inner:
        return value
    if isinstance(value, list):
        return [
            _owned(item, inner[mark]) for item in value if (mark := _mark(item, inner)) is not None
        ]
    return {key[2:]: _owned(value[key[2:]], sub) for key, sub in inner.items() if key[2:] in value}


def _mark(item: Any, fields: Json) -> str | None:
    """The field set of a list item: by its keys, or by its value."""
    for mark in fields:
        kind, _, text = mark.partition(":")
        wanted = json.loads(text)
        if kind == "v" and wanted == item:
            return mark
        if kind == "k" and all(item.get(key) == value for key, value in wanted.items()):
            return mark
    return None


def _intent(live: Json) -> Json:
    meta = live["metadata"]
    owned: Json = {}
    for one in meta["managedFields"]:
        if one["manager"] == _MANAGER and one["operation"] == "Apply":
            owned = _owned(live, one["fieldsV1"])
    name = {key: meta[key] for key in ("name", "namespace") if key in meta}
    # As the operator's first apply: it can only create.
    owned["metadata"] = {**owned.get("metadata", {}), **name, "resourceVersion": "1"}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], **owned}


def _owner(live: Json) -> str:
    meta = live["metadata"]
    references = [one["uid"] for one in meta.get("ownerReferences") or [] if one.get("controller")]
    label: str = meta["labels"].get("escadre.dev/owner-uid", "")
    return references[0] if references else label


async def intents(client: BareClient, namespace: str) -> dict[str, list[Body]]:
    """The bodies by owner's uid, each owner's in the operator's order."""
    found: dict[str, list[Body]] = {}
    for template in CHILDREN.values():
        path = "/" + template.format(namespace=namespace)
        answer = await client.get(f"{path}?labelSelector={_OURS}")
        head = {"apiVersion": answer["apiVersion"], "kind": answer["kind"].removesuffix("List")}
        for item in answer["items"]:
            live = {**item, **head}
            owner = _owner(live)
            text = json.dumps(_intent(live), separators=(",", ":"))
            body = Body(f"{path}/{live['metadata']['name']}{_QUERY}", text, owner)
            found.setdefault(owner, []).append(body)
    return found


async def apply_all(
    client: BareClient, bodies: Mapping[str, Sequence[Body]], owners: Mapping[str, str]
) -> float:
    """Applies everything for new owners, by the old ones' uid; returns the seconds it took."""
    groups: list[list[Request]] = [
        [("PATCH", one.path, one.text.replace(old, owners[old]).encode(), APPLY) for one in group]
        for old, group in bodies.items()
    ]
    started = time.monotonic()
    await client.each(groups)
    return time.monotonic() - started
