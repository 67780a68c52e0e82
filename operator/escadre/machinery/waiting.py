"""Waiting until somebody says stop: a signal does. Used by the processes, operator and agent."""

import asyncio
import signal

__all__ = ["first_of", "stop_on_signals"]


def stop_on_signals(stop: asyncio.Event) -> None:
    """From now on SIGTERM and SIGINT set ``stop``, whoever took them before."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def first_of(task: "asyncio.Task[object]", stop: asyncio.Event) -> None:
    """Waits for the task, but no longer than until ``stop``."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
    else:
        task.result()
