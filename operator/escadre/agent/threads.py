"""Blocking work beside the loop, in threads that do not hold up the process's end."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final, TypeVar

from escadre.clients.sources.retry import Cancelled

__all__ = ["in_daemon_thread", "while_wanted"]

_T = TypeVar("_T")
_LOOK: Final = 0.2  # seconds between looks whether anybody still waits


async def in_daemon_thread(work: Callable[[], _T], name: str) -> _T:
    """What ``work`` returns or raises; a read that hangs is left behind when the process ends.

    asyncio.to_thread would be waited for at the end of the interpreter.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_T] = loop.create_future()

    def settle(value: _T | None, error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value: _T | None = None
        error: BaseException | None = None
        try:
            value = work()
        except BaseException as caught:  # noqa: BLE001 - handed to the awaiting task
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value, error)

    threading.Thread(target=run, daemon=True, name=name).start()
    return await done


def while_wanted(work: Callable[[], _T], stop: threading.Event, name: str) -> _T:
    """What ``work`` returns or raises; Cancelled once ``stop`` is set, however long a read hangs.

    The thread that hangs is left behind.
    """
    done: Future[_T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as caught:  # noqa: BLE001 - handed to who waits
            done.set_exception(caught)

    threading.Thread(target=run, daemon=True, name=name).start()
    while not wait((done,), _LOOK).done:
        if stop.is_set():
            raise Cancelled(f"called off: {name}")
    return done.result()
