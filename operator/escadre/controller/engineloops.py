"""The loops that speak with engines, and the connections they do it by. Called by run.py.

The leader alone runs them: one reads their metrics and scales, one asks for their version, one
tries those that stand still.
"""

import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from escadre.clients.engine import ScrapeFailure, Target, scraping
from escadre.clients.enginetoken import asking_tokens
from escadre.clients.engineversion import asking
from escadre.controller.context import Context
from escadre.controller.demand import DemandLoop
from escadre.controller.engineversions import VersionLoop
from escadre.controller.stuck import TOKEN_SECONDS, StuckLoop
from escadre.core.scaling.demand import Demand

__all__ = ["engine_loops"]

_TIMEOUT_SECONDS: Final = 2.0


@asynccontextmanager
async def engine_loops(
    context: Context,
    failed: Callable[[str], None],
    judged: Callable[[float], None],
    scraped: Callable[[float], None],
) -> AsyncIterator[tuple[Coroutine[Any, Any, None], ...]]:
    """One coroutine for each, to run while the block lasts.

    ``failed`` counts failed scrapes, ``judged`` is told how long each round's decisions took,
    ``scraped`` how long each scrape.
    """
    async with (
        scraping(_TIMEOUT_SECONDS, context.gather.engine.profile.queue) as scrape,
        asking(_TIMEOUT_SECONDS) as ask,
        asking_tokens(TOKEN_SECONDS) as ask_token,
    ):

        async def timed(target: Target) -> Demand | ScrapeFailure:
            began = time.monotonic()
            answer = await scrape(target)
            scraped(time.monotonic() - began)
            return answer

        yield (
            DemandLoop(context, timed, failed, judged).run(),
            VersionLoop(context, ask).run(),
            StuckLoop(context, ask_token).run(),
        )
