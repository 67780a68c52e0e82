"""Leader election on a thread of its own: a planning pass must not cost us the Lease.

A loop that computes renews nothing. At 5,000 deployments on a machine with two busy cores a pass
held the loop for 4.2 s and a renewal took 3.9 s beside it: two such in a row are the 7 s after
which a leader must stop. Here the elector has a loop and a client of its own; only what came of it
is handed to the caller's loop. A process whose own loop stands for good answers no probe either,
and is ended by the kubelet: that is what the liveness probe is for, not the Lease.

Used by the operator's process (controller/run.py); `LeaderElector` decides, this only runs it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from escadre.clients.kube import Api
from escadre.machinery.lease import USUAL_TERMS, Candidate, LeaderElector, Terms

__all__ = ["ElectorApart", "OpenApi"]

OpenApi = Callable[[], AbstractAsyncContextManager[Api]]

_END_SECONDS: Final = 3.0  # the release has 2 s, closing its connections the rest


class ElectorApart:
    """As `LeaderElector`: ``leading``, ``on_lost`` and `run` belong to the loop that calls `run`.

    ``open_api`` is called on the thread, for no connection, lock or session may serve two loops.
    """

    def __init__(
        self,
        open_api: OpenApi,
        candidate: Candidate,
        *,
        on_lost: Callable[[str], None],
        terms: Terms = USUAL_TERMS,
    ) -> None:
        terms.check(f"{candidate.namespace}/{candidate.name}")
        self.leading = asyncio.Event()
        self._open_api = open_api
        self._candidate = candidate
        self._terms = terms
        self._on_lost = on_lost

    async def run(self) -> None:
        """Become the leader and stay it; returns when leadership was lost.

        Cancelled, it releases the Lease first, in 3 s at most. Raises what ``open_api`` raised,
        and whatever else broke the thread.
        """
        here = asyncio.get_running_loop()
        side = _Side(self, here)
        side.start()
        try:
            await asyncio.shield(side.ended)
        except asyncio.CancelledError:
            side.cancel()
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                async with asyncio.timeout(_END_SECONDS):
                    await side.ended
            raise
        finally:
            self.leading.clear()

    async def elect(self, tell: Callable[[Callable[[], object]], None]) -> None:
        """What the thread's loop runs; ``tell`` calls something on the caller's."""
        async with self._open_api() as api:

            def lost(why: str) -> None:
                tell(lambda: self._on_lost(why))

            elector = LeaderElector(api, self._candidate, terms=self._terms, on_lost=lost)
            running = asyncio.ensure_future(elector.run())
            leading = asyncio.ensure_future(elector.leading.wait())
            try:
                await asyncio.wait({running, leading}, return_when=asyncio.FIRST_COMPLETED)
                if elector.leading.is_set():
                    tell(self.leading.set)
                await running
            finally:
                leading.cancel()
                running.cancel()
                await asyncio.wait({running, leading})


class _Side:
    """One thread and its loop; ``ended`` is a future of the loop that made it."""

    def __init__(self, elector: ElectorApart, here: asyncio.AbstractEventLoop) -> None:
        self.ended: asyncio.Future[None] = here.create_future()
        self._elector = elector
        self._here = here
        self._stop = threading.Event()
        self._there: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins; a daemon, for a process that ends waits for no answer of the API server."""
        threading.Thread(target=self._run, name="lease", daemon=True).start()

    def cancel(self) -> None:
        """Ends the election, also one that has not begun yet."""
        self._stop.set()
        if self._there is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
                self._there.call_soon_threadsafe(self._task.cancel)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            self._tell(self._end, None)
        except Exception as error:  # noqa: BLE001 - it is raised where `run` is awaited
            self._tell(self._end, error)
        else:
            self._tell(self._end, None)

    async def _main(self) -> None:
        self._there, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if not self._stop.is_set():
            await self._elector.elect(self._tell)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)

    def _tell(self, call: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the caller's loop is closed: nobody listens
            self._here.call_soon_threadsafe(call, *args)
