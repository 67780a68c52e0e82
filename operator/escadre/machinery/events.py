"""Recorder of Kubernetes events: what happened, for whoever runs ``kubectl describe``.

Best effort and never in the way: `record` only files the event in memory, one task writes. The same
message about the same object within a window is counted, not posted again, unless something else
was told of its topic meanwhile: a state that was left and came back is news, for some times. A
reason whose messages keep changing is folded into one event; an object that talks too much is cut
short. Used by the reconcilers; the reason is the one that stands in condition, log and metric. What
is filed as new is logged, too: events are gone after an hour.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from escadre.clients.kube import EVENTS, Api, ApiError, Json, NotFound
from escadre.reasons import Reason, Severity

__all__ = ["Allowance", "EventRecorder", "ObjectRef"]

_TURNS: Final = 5  # events of one state within a window, then it is counted: it comes and goes
_SIMILAR: Final = 10  # different messages of one reason within a window, then they are folded
_REMEMBERED: Final = 4096
_PENDING: Final = 1000
_MESSAGE_LIMIT: Final = 1024  # of the API server
_HOME_OF_CLUSTER_SCOPED: Final = "default"


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """The object that an event is about."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "ObjectRef":
        """The reference to an object as the API server returns it."""
        meta = obj["metadata"]
        return cls(
            api_version=obj["apiVersion"],
            kind=obj["kind"],
            name=meta["name"],
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
        )


_Key = tuple[ObjectRef, str, str]  # about, reason, message ("" when folded)


@dataclass(slots=True)
class _Entry:
    warning: bool
    message: str
    first: datetime
    last: datetime
    started: float
    told: int = 1  # events of it within the window
    count: int = 0
    written: int = 0
    written_at: float = 0.0
    name: str = ""  # of the Event object, once posted
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often an event is told, as the recorder of the kubelet has it.

    Equal events within ``window_seconds`` are counted, a count is written every
    ``recount_seconds``; each object may have ``burst`` events, one more each ``refill_seconds``.
    """

    window_seconds: float = 600.0
    recount_seconds: float = 60.0
    burst: int = 25
    refill_seconds: float = 300.0
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)


_USUAL: Final = Allowance()


class EventRecorder:
    """See the module. ``instance`` names the process (its pod)."""

    def __init__(
        self,
        api: Api,
        *,
        instance: str,
        component: str = "escadre-operator",
        allowance: Allowance = _USUAL,
    ) -> None:
        self.dropped = 0
        self._api = api
        self._instance = instance
        self._component = component
        self._limits = allowance
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._similar: OrderedDict[tuple[ObjectRef, str], tuple[float, set[str]]] = OrderedDict()
        self._topics: OrderedDict[tuple[ObjectRef, str], _Key] = OrderedDict()
        self._allowance: OrderedDict[ObjectRef, tuple[float, float]] = OrderedDict()
        self._pending: deque[_Key] = deque()
        self._bell = asyncio.Event()
        self._names = 0

    def record(
        self,
        about: ObjectRef,
        reason: Reason,
        message: str,
        *,
        warning: bool = False,
        done: bool = False,
        topic: str = "",
    ) -> None:
        """File one event; never waits, never fails.

        ``topic`` is whose state it tells, the type of a condition say, "" for none.

        Its type follows from the reason; ``warning`` raises it, of what was well before, say.
        ``done``: it tells of a deed, not of a state. Deeds are few and each is told, however much
        has been said about the object; only folding bounds them.
        """
        now = self._limits.clock()
        message = message[:_MESSAGE_LIMIT]
        key = (about, reason.name, self._folded(about, reason.name, message, now))
        entry, turned = self._entries.get(key), self._turned(about, topic, key)
        if entry is not None and now - entry.started >= self._limits.window_seconds:
            entry = None
        again = turned and entry is not None and entry.written and entry.told < _TURNS
        if entry is None or again:
            if not done and not self._allowed(about, now):
                self.dropped += 1
                return
            wall = self._limits.wall()
            loud = warning or reason.severity is not Severity.INFO
            told, started = (entry.told + 1, entry.started) if entry else (1, now)
            entry = _Entry(loud, message, first=wall, last=wall, started=started, told=told)
            _remember(self._entries, key, entry)
            _log(about, reason.name, message, warning=loud)
        entry.count += 1
        entry.message = message
        entry.last = self._limits.wall()
        # A repetition is worth a write only now and then.
        if not entry.written or now - entry.written_at >= self._limits.recount_seconds:
            self._enqueue(key, entry)

    async def run(self) -> None:
        """Write what is filed, until cancelled."""
        while True:
            while self._pending:
                key = self._pending.popleft()
                entry = self._entries.get(key)
                if entry is not None:
                    await self._write(key, entry)
            self._bell.clear()
            await self._bell.wait()

    def _folded(self, about: ObjectRef, reason: str, message: str, now: float) -> str:
        """The message, or nothing once a reason has had too many different ones."""
        since, seen = self._similar.get((about, reason), (now, set()))
        if now - since >= self._limits.window_seconds:
            since, seen = now, set()
        if len(seen) < _SIMILAR:
            seen.add(message)
        _remember(self._similar, (about, reason), (since, seen))
        return message if message in seen else ""

    def _turned(self, about: ObjectRef, topic: str, key: _Key) -> bool:
        """Whether something else was told of a topic last."""
        if not topic:
            return False
        before = self._topics.get((about, topic), key)
        _remember(self._topics, (about, topic), key)
        return before != key

    def _allowed(self, about: ObjectRef, now: float) -> bool:
        """Token bucket per object: a burst, then one new event per refill time."""
        tokens, at = self._allowance.get(about, (float(self._limits.burst), now))
        tokens = min(self._limits.burst, tokens + (now - at) / self._limits.refill_seconds)
        allowed = tokens >= 1
        _remember(self._allowance, about, (tokens - 1 if allowed else tokens, now))
        return allowed

    def _enqueue(self, key: _Key, entry: _Entry) -> None:
        if entry.queued:
            return
        if len(self._pending) >= _PENDING:
            self.dropped += 1
            return
        entry.queued = True
        self._pending.append(key)
        self._bell.set()

    async def _write(self, key: _Key, entry: _Entry) -> None:
        entry.queued = False
        count = entry.count
        try:
            if entry.name and not await self._recount(key, entry):
                entry.name = ""  # expired on the server
            if not entry.name:
                entry.name = await self._post(key, entry)
        except ApiError:
            self.dropped += 1
            return
        entry.written = count
        entry.written_at = self._limits.clock()

    async def _recount(self, key: _Key, entry: _Entry) -> bool:
        about = key[0]
        patch = {
            "count": entry.count,
            "lastTimestamp": _stamp(entry.last),
            "message": self._text(key, entry),
        }
        home = about.namespace or _HOME_OF_CLUSTER_SCOPED
        try:
            await self._api.patch(EVENTS, entry.name, patch, namespace=home)
        except NotFound:
            return False
        return True

    async def _post(self, key: _Key, entry: _Entry) -> str:
        about, reason, _ = key
        self._names += 1
        suffix = f"{int(entry.first.timestamp() * 1e6):x}.{self._names:x}"
        body: Json = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {
                "name": f"{about.name[:200]}.{suffix}",
                "namespace": about.namespace or _HOME_OF_CLUSTER_SCOPED,
            },
            "involvedObject": _reference(about),
            "reason": reason,
            "message": self._text(key, entry),
            "type": "Warning" if entry.warning else "Normal",
            "count": entry.count,
            "firstTimestamp": _stamp(entry.first),
            "lastTimestamp": _stamp(entry.last),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }
        posted = await self._api.create(EVENTS, body)
        name: str = posted["metadata"]["name"]
        return name

    def _text(self, key: _Key, entry: _Entry) -> str:
        if key[2]:
            return entry.message
        return f"(combined from similar events): {entry.message}"[:_MESSAGE_LIMIT]


def _log(about: ObjectRef, reason: str, message: str, *, warning: bool) -> None:
    log = structlog.get_logger()
    tell = log.warning if warning else log.info
    tell(message, reason=reason, kind=about.kind, namespace=about.namespace, name=about.name)


def _reference(about: ObjectRef) -> dict[str, str]:
    wanted = {
        "apiVersion": about.api_version,
        "kind": about.kind,
        "name": about.name,
        "namespace": about.namespace,
        "uid": about.uid,
    }
    return {key: value for key, value in wanted.items() if value}


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _remember(memory: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    """Keep what was used last, forget what was used longest ago."""
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)
