"""Reads what the user may see, and keeps a list of what could not be read, and why.

Used by gather.py. An error of one request is a gap, never the end: a bundle is asked for when
things are broken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from escadre.clients.kube import (
    Api,
    ApiError,
    Forbidden,
    Json,
    NotFound,
    Resource,
    Selection,
    Tail,
    log_end,
)

__all__ = ["Gap", "Reader"]


class Gap(NamedTuple):
    """What is missing, and why."""

    what: str
    why: str


@dataclass(slots=True)
class Reader:
    """Reads for one bundle; ``most`` objects of a kind."""

    api: Api
    most: int
    gaps: list[Gap] = field(default_factory=list)

    def miss(self, what: str, why: str) -> None:
        """Notes a gap, once."""
        gap = Gap(what, why)
        if gap not in self.gaps:
            self.gaps.append(gap)

    async def everywhere(
        self, resource: Resource, otherwise: Sequence[str], labels: str | None = None
    ) -> list[Json]:
        """Objects of all namespaces; where that is not allowed, of those that are named."""
        try:
            return await self._pages(resource, Selection(labels=labels))
        except Forbidden as error:
            why = str(error)
            if not resource.namespaced or not otherwise:
                self.miss(resource.describe(), why)
                return []
            self.miss(f"{resource.plural} of other namespaces than {', '.join(otherwise)}", why)
        except ApiError as error:
            self.miss(resource.describe(), str(error))
            return []
        return await self.within(resource, otherwise, labels)

    async def within(
        self, resource: Resource, namespaces: Sequence[str], labels: str | None = None
    ) -> list[Json]:
        """Objects of these namespaces."""
        found: list[Json] = []
        for one in namespaces:
            try:
                found += await self._pages(resource, Selection(one, labels))
            except ApiError as error:
                self.miss(resource.describe(one), str(error))
        return found

    async def one(self, resource: Resource, name: str, namespace: str) -> Json | None:
        """One object."""
        try:
            return await self.api.get(resource, name, namespace=namespace)
        except ApiError as error:
            self.miss(resource.describe(namespace, name), str(error))
            return None

    async def log(self, pod: Json, container: str, tail: Tail) -> str | None:
        """The end of a log; None where there is none."""
        meta = pod["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        try:
            return await log_end(self.api, pod, container, tail)
        except NotFound:
            return None  # gone since it was listed
        except ApiError as error:
            which = "log before the restart" if tail.previous else "log"
            self.miss(f"{which} of container {container}, Pod {namespace}/{name}", str(error))
            return None

    async def _pages(self, resource: Resource, chosen: Selection) -> list[Json]:
        found: list[Json] = []
        token = ""
        while len(found) < self.most:
            page = await self.api.list_page(resource, chosen, continue_token=token)
            found += page.items
            token = page.continue_token
            if not token:
                return found
        where = resource.describe(chosen.namespace)
        self.miss(f"{where} beyond the first {self.most:,}", "the bundle's own limit")
        return found[: self.most]
