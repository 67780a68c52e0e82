"""The API server's audit log as a measuring instrument: who wrote what, and when it was done.

All times are the API server's own, so a measurement costs the measured no request. Used by the
benchmarks and by the cases about rest and failover.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

__all__ = ["AGENT", "OPERATOR", "AuditLog", "Entry"]

OPERATOR: Final = "system:serviceaccount:escadre-system:escadre-operator"
AGENT: Final = "system:serviceaccount:escadre-system:escadre-agent"
_WRITES: Final = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One finished request; times in seconds since the epoch. ``applies``: a server-side apply."""

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

    @property
    def writes(self) -> bool:
        """Whether the server was asked to change something."""
        return self.verb in _WRITES

    @property
    def is_lease(self) -> bool:
        """Whether it is about a Lease."""
        return self.resource == "leases"

    @property
    def what(self) -> str:
        """The request in a few words, for messages."""
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource} {self.namespace}/{self.name} -> {self.code}"

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Entry":
        """From a line of the log."""
        about = document.get("objectRef") or {}
        return cls(
            user=document["user"].get("username", ""),
            verb=document["verb"],
            resource=about.get("resource", ""),
            subresource=about.get("subresource", ""),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            code=(document.get("responseStatus") or {}).get("code", 0),
            received=_epoch(document["requestReceivedTimestamp"]),
            done=_epoch(document["stageTimestamp"]),
            applies="fieldManager=" in document.get("requestURI", ""),
        )


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
        with self._path.open("rb") as log:
            log.seek(since)
            for line in log:
                if not line.endswith(b"\n"):
                    return  # still being written
                place += len(line)
                if wanted not in line or b'"verb":"watch"' in line:
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
