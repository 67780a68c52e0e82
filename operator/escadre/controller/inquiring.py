"""How a loop asks engines something: looks every few seconds who is due, and asks a few at a time.

Called by controller/engineversions.py and controller/stuck.py, which say who is due and what of.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from escadre.state.views import PodView

__all__ = ["AGAIN_SECONDS", "ask_each", "look_for_ever"]

AGAIN_SECONDS: Final = 60.0  # until one that did not answer is asked again
_LOOK_SECONDS: Final = 5.0


async def look_for_ever(once: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled."""
    while True:
        await once()
        await asyncio.sleep(_LOOK_SECONDS)


async def ask_each(
    pods: Iterable[PodView], ask: Callable[[PodView], Awaitable[None]], at_once: int
) -> None:
    """Returns once all were asked, ``at_once`` of them at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(pod: PodView) -> None:
        async with gate:
            await ask(pod)

    await asyncio.gather(*(one(pod) for pod in pods))
