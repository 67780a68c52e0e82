"""kopf: the shell of the process, and the only watch of Escadre's own kinds.

It takes the signals, starts and ends our work by its startup and cleanup handlers, and hands every
event of the five kinds to a feed of memory. Its handlers are raw events only: no annotations,
finalizers or diffs on users' objects, and nothing written (measured in docs/develop/decisions.md).
The connection is ours, with the token as it is rotated.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from typing_extensions import override

from escadre.backoff import pause
from escadre.clients.kube import Connection, Json, open_session
from escadre.machinery.heard import Heard
from escadre.machinery.unloaded import left_out
from escadre.machinery.waiting import stop_on_signals

with left_out("kubernetes"):
    import kopf

__all__ = ["Shell"]

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
# A login that is asked for again so soon has been refused, and what ends so soon ends again.
_HOLDS_SECONDS: Final = 60.0
_KOPF: Final = str(Path(kopf.__file__).parent)
_IDENTITY: Final[Any] = "escadre"

Hook = Callable[[], Awaitable[None]]


class _Forever:
    """Back-offs that never end: kopf counts those of a list, and gives up after the last."""

    def __iter__(self) -> Iterator[float]:
        failures = 0
        while True:
            failures += 1
            yield pause(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)


class _NoDiff(kopf.DiffBaseStorage):
    """Of raw events, too, kopf copies the whole object to tell what changed; nobody here asks."""

    @override
    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    @override
    def fetch(self, **_: Any) -> None:
        return None

    @override
    def store(self, **_: Any) -> None:
        raise RuntimeError("nothing is kept on users' objects")


class _NoProgress(kopf.ProgressStorage):
    """Nor how far handlers came."""

    @override
    def fetch(self, **_: Any) -> None:
        return None

    @override
    def store(self, **_: Any) -> None:
        raise RuntimeError("nothing is kept on users' objects")

    @override
    def purge(self, **_: Any) -> None:
        return None

    @override
    def touch(self, **_: Any) -> None:
        return None

    @override
    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _NotOfKopf(Collection["asyncio.Task[Any]"]):
    """Every task that kopf did not make: at its end it would cancel all that is younger than it."""

    @override
    def __contains__(self, task: object) -> bool:
        coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
        code = getattr(coroutine, "cr_code", None)
        return code is None or not code.co_filename.startswith(_KOPF)

    @override
    def __iter__(self) -> Iterator["asyncio.Task[Any]"]:
        return (task for task in asyncio.all_tasks() if task in self)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)


class Shell:
    """``begin`` and ``end`` are called by kopf, once each; ``stop`` ends it, as a signal does."""

    def __init__(
        self, connection: Connection, heard: Iterable[Heard], begin: Hook, end: Hook
    ) -> None:
        self._connection = connection
        self._begin = begin
        self._end = end
        self._begun = self._ended = False
        self._stop = asyncio.Event()
        self._registry = kopf.OperatorRegistry()
        self._logins = 0
        self._logged_in = 0.0
        self._hooks()
        for feed in heard:
            self._watch(feed)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` or a signal. What ends kopf otherwise is said, and it is started again.

        That is an error in the middle of a watch, a list whose continue token has expired, or a
        kind that is not served any more (kopf 1.45).
        """
        logging.getLogger("kopf").setLevel(logging.ERROR)
        self._stop, failures = stop, 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._once()
                stop.set()  # a signal came before our handlers of it were there
            except Exception as error:
                if not self._begun or stop.is_set():
                    raise
                failures = failures + 1 if time.monotonic() - began < _HOLDS_SECONDS else 1
                structlog.get_logger().warning("kopf ended and is started again", error=str(error))
                await self._pause(failures)
        await self._leave()

    async def _pause(self, failures: int) -> None:
        seconds = pause(failures, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def _leave(self) -> None:
        """Once, in kopf's cleanup or, where that was not reached, after it."""
        if self._begun and not self._ended:
            self._ended = True
            await self._end()

    async def _once(self) -> None:
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=_settings(),
            clusterwide=True,
            standalone=True,
            # Made up from the user's name otherwise, which a container's uid has not.
            identity=_IDENTITY,
            stop_flag=self._stop,
        )
        # kopf's own would end its watches first, and our queue only after them.
        stop_on_signals(self._stop)
        await kopf.run_tasks(tasks, ignored=_NotOfKopf())

    def _hooks(self) -> None:
        once: Any = {"registry": self._registry, "errors": kopf.ErrorsMode.PERMANENT}

        @kopf.on.startup(**once)
        async def started(**_: Any) -> None:
            if not self._begun:
                self._begun = True
                await self._begin()

        @kopf.on.cleanup(**once)
        async def cleaned(**_: Any) -> None:
            if self._stop.is_set():
                await self._leave()

        @kopf.on.login(registry=self._registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return await self._login()

    async def _login(self) -> kopf.AiohttpSession:
        """A session; who is refused with it waits, as kopf asks again at once and for ever."""
        loop = asyncio.get_running_loop()
        if self._logins and loop.time() - self._logged_in < _HOLDS_SECONDS:
            await asyncio.sleep(pause(self._logins, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE))
        else:
            self._logins = 0
        self._logins += 1
        self._logged_in = loop.time()
        return kopf.AiohttpSession(
            server=self._connection.host,
            aiohttp_session=open_session(self._connection, "operator"),
        )

    def _watch(self, feed: Heard) -> None:
        plural = feed.resource.plural

        @kopf.on.event(
            feed.resource.group,
            feed.resource.version,
            plural,
            registry=self._registry,
            id=plural,
        )
        async def heard(event: kopf.RawEvent, **_: Any) -> None:
            feed.hear(event["type"], _taken(event["object"]))


def _taken(raw: Any) -> Json:
    """The whole object; kopf is left with what it is, not with what it says.

    Each object's worker holds what came last for as long as it waits for more: at a start that
    was all there are at once, and the peak of memory.
    """
    whole = dict(raw)
    meta = {key: one for key, one in whole["metadata"].items() if key != "managedFields"}
    raw.clear()
    raw.update({key: whole[key] for key in ("apiVersion", "kind") if key in whole}, metadata=meta)
    return whole


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # kinds are known; saves watches and rights
    settings.peering.standalone = True  # a Lease elects the leader
    settings.persistence.diffbase_storage = _NoDiff()
    settings.persistence.progress_storage = _NoProgress()
    settings.posting.enabled = False  # events have their own recorder
    settings.queueing.idle_timeout = 0.5
    settings.queueing.exit_timeout = 0.2
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 50
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = _Forever()
    # Its last resort is SIGKILL, which would also come after it ended by itself and began again.
    settings.process.ultimate_exiting_timeout = None
    return settings
