"""When a long-lived process looks for garbage: young objects often, and when nobody waits.

Python looks when 10,000 more objects were made than died. Where most replace others, as with what
is remembered of each replica from reading to reading, that takes long, and all that was replaced
meanwhile is young: with 500 engines read 60,000 objects. Measured: docs/develop/decisions.md.
"""

import asyncio
import gc
from collections.abc import Callable
from itertools import count
from typing import Final

__all__ = ["THRESHOLDS", "keep", "look_often", "seldom"]

# New objects until the young are looked through; how often that is until those are that outlived
# it, and how often these until all are.
THRESHOLDS: Final = (10_000, 500, 20)
_EACH_SECONDS: Final = 0.25
# Looks until one goes through those that outlived the last of these, two minutes, and through all
# that is not kept, an hour: what is asked for by name counts for no threshold.
_OLDER: Final = 480
_ALL: Final = 14_400


def seldom() -> None:
    """All is looked through seldom: with caches that live as long as the process, it takes long."""
    gc.set_threshold(*THRESHOLDS)


def keep() -> None:
    """What is held now is held for long: it is not looked through again."""
    gc.collect()
    gc.freeze()


async def look_often(urgent: Callable[[], bool]) -> None:
    """Looks through the young ones, until cancelled; not while anything is ``urgent``."""
    for number in count(1):
        await asyncio.sleep(_EACH_SECONDS)
        if not urgent():
            gc.collect(2 if number % _ALL == 0 else 1 if number % _OLDER == 0 else 0)
