"""Waiting for a task, but no longer than until somebody says stop. Used by controller/run.py."""

import asyncio

__all__ = ["first_of"]


async def first_of(task: "asyncio.Task[object]", stop: asyncio.Event) -> None:
    """Waits for the task, but no longer than until ``stop``."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not task.done():
        task.cancel()
    else:
        task.result()
