"""Blocking work beside the loop, in threads that do not hold up the process's end."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_daemon_thread"]

_T = TypeVar("_T")


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
