"""The protocol `Api`: the few calls of the API server that everything above uses.

Objects are plain dicts in and out. `KubeApi` implements it over HTTP, the fake of the tests in
memory; one conformance file holds both to the same behaviour. No method retries, except that a
Retry-After is honoured once within the caller's ``within``: retrying is the queue's business.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol

from escadre.clients.kube.errors import Gone
from escadre.clients.kube.resources import Resource
from escadre.names import FIELD_MANAGER

__all__ = [
    "EVERYTHING",
    "UNGUARDED",
    "USUAL_TAIL",
    "Api",
    "Guard",
    "Json",
    "Page",
    "Selection",
    "Tail",
    "WatchEvent",
    "list_all",
    "log_end",
]

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; ``continue_token`` is empty on the last.

    ``remaining`` objects come on later pages; a list that selects does not tell how many.
    """

    items: list[Json]
    resource_version: str
    continue_token: str
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch; a bookmark carries only a resourceVersion."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Json


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a kind: of a namespace, with labels, with fields; None for whatever."""

    namespace: str | None = None
    labels: str | None = None
    fields: str | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """What an object must still be for a deletion to happen; None for whatever."""

    uid: str | None = None
    resource_version: str | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """Which end of a container's log: so many lines, of these so many bytes; of which run."""

    lines: int = 1000
    bytes: int = 1 << 20
    previous: bool = False


EVERYTHING: Final = Selection()
UNGUARDED: Final = Guard()
USUAL_TAIL: Final = Tail()


class Api(Protocol):
    """What Escadre asks of an API server.

    ``within`` is a caller's deadline in seconds for the whole call, waiting for the rate
    limiter included; None means the client's default. Errors are `ApiError` and its children.
    """

    async def get(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        within: float | None = None,
    ) -> Json:
        """One object; raises NotFound."""
        ...

    async def list_page(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        limit: int = 500,
        continue_token: str = "",
    ) -> Page:
        """One page of objects; raises Gone when ``continue_token`` has expired."""
        ...

    async def list_names(
        self, resource: Resource, *, limit: int = 500, continue_token: str = ""
    ) -> Page:
        """The same of all objects of a kind, with their metadata alone."""
        ...

    def watch(
        self,
        resource: Resource,
        selection: Selection = EVERYTHING,
        *,
        resource_version: str,
        timeout_seconds: int = 300,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after ``resource_version``, with bookmarks, until the server ends the stream.

        Raises Gone, also in mid-stream, when the version is too old.
        """
        ...

    async def apply(
        self,
        resource: Resource,
        body: Json,
        *,
        field_manager: str = FIELD_MANAGER,
        force: bool = True,
        subresource: str | None = None,
        create_only: bool = False,
    ) -> Json:
        """Server-side apply of the whole intent of ``field_manager``.

        ``create_only`` raises Conflict (``already_exists``) if the object is there. A
        ``metadata.uid`` in the body is a precondition: Conflict when that object is gone, Invalid
        when another one has the name.
        """
        ...

    async def create(
        self, resource: Resource, body: Json, *, within: float | None = None, dry_run: bool = False
    ) -> Json:
        """POST; for events, leases and reviews, never for children (those are applied).

        A ``dry_run`` is judged as the real one would be, policies too, and nothing is stored.
        """
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Json | Sequence[Json],
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> Json:
        """JSON patch (a list) or merge patch (a dict).

        A ``metadata.resourceVersion`` in a merge patch is a precondition (Conflict); a failed
        ``test`` of a JSON patch is Invalid.
        """
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str | None = None,
        guard: Guard = UNGUARDED,
        grace_seconds: int | None = None,
    ) -> Json | None:
        """Delete, with what it owns in the background; Conflict by ``guard``, or NotFound.

        Returns the object where it only starts to go, None where it is gone.
        """
        ...

    async def log(
        self, pod: str, container: str, *, namespace: str, tail: Tail = USUAL_TAIL
    ) -> str:
        """The end of a container's log; NotFound without the pod, Invalid without such a run."""
        ...

    async def version(self) -> Json:
        """What the API server says of its own version."""
        ...


async def list_all(api: Api, resource: Resource, selection: Selection = EVERYTHING) -> list[Json]:
    """Every page of a list; begins anew, once, when the continue token expires on the way."""
    for last_try in (False, True):
        items: list[Json] = []
        token = ""
        try:
            while True:
                page = await api.list_page(resource, selection, continue_token=token)
                items += page.items
                token = page.continue_token
                if not token:
                    return items
        except Gone:
            if last_try:
                raise
    raise AssertionError("unreachable: the second try returns or raises")


async def log_end(api: Api, pod: Json, container: str, tail: Tail) -> str:
    """The end of a log, whole lines of it.

    The server counts bytes from the first line that was asked for, and so cuts the last ones off:
    fewer are asked for until they fit.
    """
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    while True:
        text = await api.log(name, container, namespace=namespace, tail=tail)
        if len(text.encode()) < tail.bytes or tail.lines == 1:
            return text
        tail = replace(tail, lines=max(1, tail.lines // 3))
