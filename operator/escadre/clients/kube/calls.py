"""Requests of the API server put together, and its lists taken apart. Pure.

Used by `KubeApi` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from escadre.clients.kube.api import Json, Page, Selection
from escadre.clients.kube.resources import Resource
from escadre.clients.kube.transport import Call

__all__ = [
    "APPLY",
    "JSON",
    "JSON_PATCH",
    "MERGE_PATCH",
    "NAMES",
    "Place",
    "call_of",
    "creation",
    "page_of",
    "selecting",
    "with_body",
]

JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
# Accept of a list: metadata alone, and whole objects from a server that does not know of that.
NAMES: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True, slots=True)
class Place:
    """What a call is about: a collection, an object, or a subresource of one."""

    resource: Resource
    namespace: str | None
    name: str | None = None
    subresource: str | None = None

    @property
    def path(self) -> str:
        """Its URL path."""
        return self.resource.path(
            namespace=self.namespace, name=self.name, subresource=self.subresource
        )

    @property
    def words(self) -> str:
        """How messages name it."""
        described = self.resource.describe(self.namespace, self.name)
        return f"{self.subresource} of {described}" if self.subresource else described


def call_of(verb: str, method: str, place: Place, query: Mapping[str, str] | None = None) -> Call:
    """A request about a place; ``verb`` is how errors and metrics name it."""
    target = f"{place.path}?{urlencode(query)}" if query else place.path
    return Call(verb, place.resource.kind, place.words, method, target)


def with_body(call: Call, body: Any, content: str) -> Call:
    """The same with a body."""
    raw = orjson.dumps(body)
    return replace(call, body=raw, headers={"Content-Type": content})


def creation(resource: Resource, body: Json, *, dry_run: bool) -> Call:
    """A POST of ``body``; of a dry run nothing is stored."""
    meta = body.get("metadata") or {}
    query = {"dryRun": "All"} if dry_run else None
    call = call_of("create", "POST", Place(resource, meta.get("namespace")), query)
    name = meta.get("name") or meta.get("generateName") or ""
    call = replace(call, object=resource.describe(meta.get("namespace"), name))
    return with_body(call, body, JSON)


def selecting(selection: Selection) -> dict[str, str]:
    """The query that selects objects."""
    wanted = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {key: value for key, value in wanted.items() if value}


def page_of(answer: dict[str, Any]) -> Page:
    """A list as the server answers it."""
    meta = answer.get("metadata") or {}
    return Page(
        items=answer.get("items") or [],
        resource_version=meta.get("resourceVersion", ""),
        continue_token=meta.get("continue", ""),
        remaining=int(meta.get("remainingItemCount") or 0),
    )
