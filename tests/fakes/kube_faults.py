"""What can go wrong with one client of the fake API server, and the record of what it asked for.

Base of `tests.fakes.kube.FakeApi`. Nothing goes wrong unless a test asks for it, and then always at
the same request.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeVar

from tests.fakes.kube_merge import clone
from tests.fakes.kube_server import FakeServer, Scope
from tests.fakes.kube_store import LogEntry

from escadre.clients.kube import ApiError, Resource, ServerUnavailable, TooManyRequests, WatchEvent

__all__ = ["FaultyClient", "Killed", "Request", "When"]

R = TypeVar("R")
Where = tuple[str, str, str]  # namespace, name, subresource

When = Literal["before", "after"]


class Killed(BaseException):
    """The process that uses this client is dead; no handler of errors may catch it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it reached the server, and how it ended (an HTTP code, 0 for none)."""

    verb: str
    kind: str
    namespace: str
    name: str
    subresource: str
    code: int


@dataclass(frozen=True, slots=True)
class _Fault:
    error: BaseException
    when: When


class FaultyClient:
    """A process that talks to the server: it can die, be refused, and lose answers and events."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.writes: list[Request] = []
        self.reads: list[Request] = []
        self.dead = False
        self.latency = 0.0  # seconds until a request is answered
        self.cuts = 0
        self._started = 0
        self._faults: dict[int, _Fault] = {}
        self._busy: list[float] = []
        self._refused: dict[tuple[str, str], Callable[[], ApiError]] = {}
        self._lost: Counter[str] = Counter()
        self._doubled: Counter[str] = Counter()
        self._held: set[str] = set()

    def kill_at(self, number: int, when: When = "before") -> None:
        """Die at the write of that number (from 1, over the client's life)."""
        self._faults[number] = _Fault(Killed(), when)

    def fail_write(self, number: int, error: ApiError, when: When = "before") -> None:
        """Raise ``error`` at the write of that number, before or after it is done."""
        self._faults[number] = _Fault(error, when)

    def fail_next_write(self, error: ApiError, when: When = "before") -> None:
        """Raise ``error`` at the next write."""
        self.fail_write(self._started + 1, error, when)

    def timeout_after_commit(self, number: int) -> None:
        """The write is done, its answer is lost."""
        lost = ServerUnavailable(
            method="write",
            object=f"number {number}",
            reason="Timeout",
            message="no answer in time",
            maybe_committed=True,
        )
        self.fail_write(number, lost, "after")

    def answer_429(self, times: int, retry_after: float = 1.0) -> None:
        """Refuse that many requests, reads and writes."""
        self._busy += [retry_after] * times

    def refuse(self, verb: str, kind: str, error: Callable[[], ApiError] | None) -> None:
        """Answer every such request with an error (None: no longer)."""
        if error is None:
            self._refused.pop((verb, kind), None)
        else:
            self._refused[verb, kind] = error

    def lose_events(self, kind: str, count: int = 1) -> None:
        """Never deliver the next events of a kind."""
        self._lost[kind] += count

    def duplicate_events(self, kind: str, count: int = 1) -> None:
        """Deliver the next events of a kind twice."""
        self._doubled[kind] += count

    def hold_events(self, kind: str) -> None:
        """Deliver no events of a kind until `release_events`."""
        self._held.add(kind)

    def release_events(self, kind: str) -> None:
        """Deliver what was held back, in order."""
        self._held.discard(kind)
        self.server.ring()

    def cut_watches(self) -> None:
        """End every open watch of this client."""
        self.cuts += 1
        self.server.ring()

    # -- one request ------------------------------------------------------------------------------

    async def read(self, verb: str, resource: Resource, where: Where, answer: Callable[[], R]) -> R:
        """A read: refused, or answered from the server."""
        await self._reach(verb, resource)
        return self._noting(self.reads, verb, resource, where, answer)

    async def write(
        self, verb: str, resource: Resource, where: Where, commit: Callable[[], R]
    ) -> R:
        """A write: counted, and perhaps failing before or after it is done."""
        await self._reach(verb, resource)
        self._started += 1
        fault = self._faults.pop(self._started, None)
        if fault is not None and fault.when == "before":
            raise self._failing(fault)
        answer = self._noting(self.writes, verb, resource, where, commit)
        if fault is not None:
            raise self._failing(fault)
        return answer

    def deliver(self, resource: Resource, entry: LogEntry, scope: Scope) -> Iterator[WatchEvent]:
        """The events that this client's watch sees of one change."""
        event = _event(resource, entry, scope)
        if event is None:
            return
        if event.type != "BOOKMARK":
            if self._lost[resource.kind]:
                self._lost[resource.kind] -= 1
                return
            if self._doubled[resource.kind]:
                self._doubled[resource.kind] -= 1
                yield event
        yield event

    def holds(self, kind: str) -> bool:
        """Whether events of a kind wait for `release_events`."""
        return kind in self._held

    def check_alive(self) -> None:
        """A dead process asks for nothing more."""
        if self.dead:
            raise Killed

    async def _reach(self, verb: str, resource: Resource) -> None:
        self.check_alive()
        await asyncio.sleep(self.latency)  # the answer is never there at once
        self.check_alive()
        if self._busy:
            raise TooManyRequests(
                method=verb,
                object=resource.describe(),
                status=429,
                reason="TooManyRequests",
                message="please try again later",
                retry_after=self._busy.pop(0),
            )
        refusal = self._refused.get((verb, resource.kind))
        if refusal is not None:
            raise refusal()

    def _failing(self, fault: _Fault) -> BaseException:
        if isinstance(fault.error, Killed):
            self.dead = True
            self.server.ring()
        return fault.error

    @staticmethod
    def _noting(
        record: list[Request],
        verb: str,
        resource: Resource,
        where: Where,
        answer: Callable[[], R],
    ) -> R:
        try:
            result = answer()
        except ApiError as error:
            record.append(Request(verb, resource.kind, *where, error.status))
            raise
        record.append(Request(verb, resource.kind, *where, 200))
        return result


def _event(resource: Resource, entry: LogEntry, scope: Scope) -> WatchEvent | None:
    """One change as a watch of that scope shows it: coming into scope is an addition."""
    if entry.old is None and entry.new is None:
        meta = {"resourceVersion": str(entry.version)}
        named = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta}
        return WatchEvent("BOOKMARK", named)
    before = entry.old is not None and scope.shows(entry.old)
    if entry.new is not None and scope.shows(entry.new):
        return WatchEvent("MODIFIED" if before else "ADDED", clone(entry.new))
    if before:
        last = clone(entry.new or entry.last)
        last["metadata"]["resourceVersion"] = str(entry.version)
        return WatchEvent("DELETED", last)
    return None
