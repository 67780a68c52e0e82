"""The API server's audit log: who asked for what, when it came in and when it was done.

All times are the API server's own, so a measurement costs the measured no request. The one reader
of the benchmarks and of the cases.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["AGENT", "OPERATOR", "AuditLog", "Entry", "Watcher"]

OPERATOR: Final = "system:serviceaccount:escadre-system:escadre-operator"
AGENT: Final = "system:serviceaccount:escadre-system:escadre-agent"
_WATCH: Final = b'"verb":"watch"'
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One answered request; times in seconds since the epoch.

    ``pod``: whose token it was, where it was a pod's. ``applies``: a server-side apply.
    ``unauthorised``: refused by RBAC, not by a policy. ``body``: as JSON, of patches of Nodes only.
    """

    user: str
    verb: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    received: float
    done: float
    applies: bool = False
    pod: str = ""
    group: str = ""
    unauthorised: bool = False
    body: str = "null"

    @property
    def writes(self) -> bool:
        """Whether the server was asked to change something."""
        return self.verb in _WRITES

    @property
    def is_lease(self) -> bool:
        """Whether it is about a Lease."""
        return self.resource == "leases"

    @property
    def target(self) -> str:
        """``plural`` or ``plural/subresource``, as a rule of RBAC has it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def what(self) -> str:
        """The request in a few words, for messages."""
        return f"{self.verb} {self.target} {self.namespace}/{self.name} -> {self.code}"

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Entry":
        """From a line of the log."""
        about, user = document.get("objectRef") or {}, document["user"]
        pods = user.get("extra", {}).get("authentication.kubernetes.io/pod-name", ())
        decision = document.get("annotations", {}).get("authorization.k8s.io/decision")
        return cls(
            user=user.get("username", ""),  # none of one that was not authenticated
            verb=document["verb"],
            resource=about.get("resource", ""),
            subresource=about.get("subresource", ""),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            code=(document.get("responseStatus") or {}).get("code", 0),
            received=_epoch(document["requestReceivedTimestamp"]),
            done=_epoch(document["stageTimestamp"]),
            applies="fieldManager=" in document.get("requestURI", ""),
            pod=next(iter(pods), ""),
            group=about.get("apiGroup", ""),
            unauthorised=decision == "forbid",
            body=json.dumps(document.get("requestObject")),
        )


class Watcher(NamedTuple):
    """Whose watch it is, and of what."""

    user: str
    pod: str
    target: str


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


class AuditLog:
    """Reads a log that is still being written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> int:
        """The place where the log ends now."""
        return self._path.stat().st_size

    def entries(
        self, since: int = 0, *, user: str = "", keep: Callable[[Entry], bool] = lambda _: True
    ) -> Iterator[Entry]:
        """Finished requests after a mark, of one user if named, watches left out."""
        for entry, _ in self.tail(since, user=user):
            if keep(entry):
                yield entry

    def tail(self, since: int, *, user: str = "") -> Iterator[tuple[Entry, int]]:
        """Like ``entries``, each with the mark behind it."""
        wanted = f'"username":"{user}"'.encode() if user else b""
        place = since
        for line in self._lines(since):
            place += len(line)
            if wanted not in line or _WATCH in line:
                continue
            document = json.loads(line)
            if document.get("stage") == "ResponseComplete" and (
                not user or document["user"].get("username") == user
            ):
                yield Entry.of(document), place

    def writes(self, since: int, *, user: str = OPERATOR) -> list[Entry]:
        """What a user wrote after a mark, Leases left out."""
        return list(
            self.entries(since, user=user, keep=lambda one: one.writes and not one.is_lease)
        )

    def answered(self, since: int = 0) -> Iterator[Entry]:
        """Every request for a resource after a mark; watches when they begin and when they end."""
        for line in self._lines(since):
            document = json.loads(line)
            if "objectRef" in document:
                yield Entry.of(document)

    def open_watches(self, since: int) -> Counter[Watcher]:
        """How many watches each has open: begun after a mark, and not ended yet.

        A server that is stopped does not write that what it had open has ended: the mark is the
        one where the server of now begins.
        """
        found: dict[str, Watcher] = {}
        for line in self._lines(since):
            if _WATCH not in line:
                continue
            document = json.loads(line)
            if document["stage"] == "ResponseStarted":
                one = Entry.of(document)
                found[document["auditID"]] = Watcher(one.user, one.pod, one.target)
            else:
                found.pop(document["auditID"], None)
        return Counter(found.values())

    def _lines(self, since: int) -> Iterator[bytes]:
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # still being written
                yield line
