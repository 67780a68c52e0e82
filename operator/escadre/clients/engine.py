"""Reads an engine: what it runs and holds and has done, from vLLM's /metrics.

The controller scrapes every replica every few seconds; clients/enginemetrics.py finds the numbers
in the body. A connection is kept between two readings of one pod: to open it costs as much as all
the rest. Nothing is decided here.
"""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Literal

import aiohttp
from yarl import URL

from escadre.clients.bodies import read_bounded
from escadre.clients.enginemetrics import scan
from escadre.clients.urls import origin
from escadre.core.decimals import bytes_text
from escadre.core.profile import DEFAULT_PROFILE, QueueMetrics
from escadre.core.scaling.demand import Demand

__all__ = [
    "IN_FLIGHT",
    "KEPT_SECONDS",
    "MAX_BODY_BYTES",
    "Scrape",
    "ScrapeFailure",
    "Target",
    "scrape",
    "scraping",
]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
IN_FLIGHT: Final = "escadre-in-flight"  # mounted/escadre_drain.py adds it
_COUNT: Final = re.compile("[0-9]{1,9}")
_CONNECTIONS: Final = 128
KEPT_SECONDS: Final = 4.5  # vLLM hangs up after 5; whoever is first meets no request half-way
_QUEUE: Final = DEFAULT_PROFILE.queue
_LATE: Final = 1.5  # times the time-out: our own loop stood, the engine may have answered


@dataclass(frozen=True, slots=True)
class ScrapeFailure:
    """Why an engine gave no metrics."""

    cause: Literal["Unreachable", "Timeout", "Status", "TooLarge"]
    message: str


@dataclass(frozen=True, slots=True)
class Target:
    """Which engine to read.

    ``uid`` is its pod's: an address may belong to another pod by the next time, and what was kept
    for one is never used for the other. Of one that is ``leaving`` nothing is kept.
    """

    address: str
    port: int
    uid: str
    leaving: bool = False

    @property
    def url(self) -> URL:
        """Where its metrics are."""
        return _metrics_of(self.address, self.port)


@lru_cache(maxsize=4096)  # to take an address apart costs a tenth of a reading
def _metrics_of(address: str, port: int) -> URL:
    return URL(f"{origin('http', address, port)}/metrics")


Scrape = Callable[[Target], Awaitable[Demand | ScrapeFailure]]


@asynccontextmanager
async def scraping(timeout_seconds: float, queue: QueueMetrics = _QUEUE) -> AsyncIterator[Scrape]:
    """A function that reads an engine, for as long as the block lasts."""
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=KEPT_SECONDS)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def read(target: Target) -> Demand | ScrapeFailure:
            return await scrape(session, target, timeout_seconds, queue)

        yield read


async def scrape(
    session: aiohttp.ClientSession,
    target: Target,
    timeout_seconds: float,
    queue: QueueMetrics = _QUEUE,
) -> Demand | ScrapeFailure:
    """Reads one engine's metrics; a fault of network or engine is an answer, not an exception.

    A kept connection that the engine has closed meanwhile is replaced. A time-out that comes late
    says nothing of the engine, which is asked once more.
    """
    began = time.monotonic()
    answer = await _once(session, target, timeout_seconds, queue)
    timed_out = isinstance(answer, ScrapeFailure) and answer.cause == "Timeout"
    if timed_out and time.monotonic() - began > _LATE * timeout_seconds:
        return await _once(session, target, timeout_seconds, queue)
    return answer


async def _once(
    session: aiohttp.ClientSession, target: Target, timeout_seconds: float, queue: QueueMetrics
) -> Demand | ScrapeFailure:
    """The text format is asked for by name: Python servers write ``vllm_…`` for ``vllm:…`` else."""
    url = target.url
    headers = {"Accept": "text/plain"} | ({"Connection": "close"} if target.leaving else {})
    try:
        async with session.get(
            url,
            headers=headers,
            server_hostname=target.uid,  # without TLS no more than a part of the pool's key
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
            allow_redirects=False,
        ) as response:
            if response.status != HTTPStatus.OK:
                return ScrapeFailure("Status", f"reading {url}: HTTP {response.status}")
            body = await read_bounded(response, MAX_BODY_BYTES)
    except TimeoutError:
        return ScrapeFailure("Timeout", f"reading {url}: no answer in {timeout_seconds:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return ScrapeFailure("Unreachable", f"reading {url}: {error or type(error).__name__}")
    if body is None:
        return ScrapeFailure("TooLarge", f"reading {url}: more than {bytes_text(MAX_BODY_BYTES)}")
    return replace(scan(body, queue), taken=_count(response.headers.get(IN_FLIGHT, "")))


def _count(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) else None
