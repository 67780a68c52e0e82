"""What a mirror can do wrong, as data: kinds of faults and the board that hands them out.

Tests put faults on ``mirror.faults``; the demo and other processes use the server's control
route, which speaks the same JSON. Pure but for a lock; ``server.py`` and ``sending.py`` obey.
"""

import fnmatch
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

__all__ = ["Fault", "FaultBoard", "Kind"]

Kind = Literal[
    "status",  # `code` (with Retry-After `retry_after`) for bytes from `after` on
    "flip",  # the byte at `after` is another one
    "truncate",  # the connection ends, politely, at `after`
    "reset",  # the connection is reset at `after`
    "stall",  # nothing more comes from `after` on, until the fault is taken away
    "wrong-range",  # Content-Range names bytes other than those sent
    "ignore-range",  # 200 and the whole file for a ranged request
    "gzip",  # the body is compressed, whatever the client asked for
    "extra",  # the file is `after` bytes longer than it should be
    "redirect",  # 302 to `location` followed by the path
    "slow",  # at most `rate` bytes a second on each connection
    "headers",  # `headers` replace the answer's own; null takes one away
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``after`` counts bytes of the file, not of the answer."""

    kind: Kind
    path: str = "*"  # shell pattern on the URL's path
    times: int | None = None  # how many answers it spoils; None: all
    after: int = 0
    code: int = 503
    retry_after: int | None = None
    location: str = ""
    rate: int = 1 << 20
    headers: tuple[tuple[str, str | None], ...] = ()

    def touches(self, begin: int, end: int) -> bool:
        """Whether an answer with these bytes of the file is spoiled."""
        if self.kind == "flip":
            return begin <= self.after < end
        if self.kind in ("status", "truncate", "reset", "stall"):
            return end > self.after
        return True

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Fault":
        """A fault as the control route gets it; ``ValueError`` names what it does not know."""
        unknown = set(content) - {field.name for field in fields(cls)}
        if unknown or content.get("kind") not in get_args(Kind):
            raise ValueError(
                f"no such fault: kind {content.get('kind')!r}, unknown fields {sorted(unknown)}; "
                f"kinds are {', '.join(get_args(Kind))}"
            )
        return cls(**content | {"headers": tuple(dict(content.get("headers") or {}).items())})

    def as_json(self) -> dict[str, Any]:
        """The reverse of ``from_json``."""
        return asdict(self) | {"headers": dict(self.headers)}


class FaultBoard:
    """The faults in force; safe to use from any thread."""

    def __init__(self) -> None:
        self._left: dict[Fault, int | None] = {}
        self._lock = threading.Lock()

    def add(self, kind: Kind, path: str = "*", **settings: Any) -> Fault:
        """Put a fault in force: ``faults.add("reset", "*.safetensors", after=100, times=1)``."""
        headers = tuple(dict(settings.pop("headers", {})).items())
        fault = Fault(kind=kind, path=path, headers=headers, **settings)
        self.put(fault)
        return fault

    def put(self, fault: Fault) -> None:
        """Put a ready-made fault in force."""
        with self._lock:
            self._left[fault] = fault.times

    def remove(self, fault: Fault) -> None:
        """Take one fault away."""
        with self._lock:
            self._left.pop(fault, None)

    def clear(self) -> None:
        """Take all faults away; what is stalled goes on."""
        with self._lock:
            self._left.clear()

    def listed(self) -> list[Fault]:
        """The faults in force."""
        with self._lock:
            return list(self._left)

    def holds(self, fault: Fault) -> bool:
        """Whether a fault is still in force, spent or not."""
        with self._lock:
            return fault in self._left

    def take(self, path: str, begin: int = 0, end: int = 1) -> list[Fault]:
        """The faults for one answer about bytes ``begin`` to ``end`` of ``path``; each counts."""
        taken = []
        with self._lock:
            for fault, left in self._left.items():
                matches = fnmatch.fnmatchcase(path, fault.path) and fault.touches(begin, end)
                if left != 0 and matches:
                    taken.append(fault)
                    self._left[fault] = None if left is None else left - 1
        return taken
