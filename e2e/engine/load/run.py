"""Runs a load: so many clients one after the other, or so many requests a second.

One connection per request by default, which is how 'no request lost' is counted; keep-alive
clients stay on the connection they have and are reported as such. Used as a library (``run_load``
beside other work, ``stop`` set when enough) and by ``__main__``.
"""

import asyncio
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp

from e2e.engine.load.request import Ask, Verdict, send

__all__ = ["Load", "Summary", "run_load"]


@dataclass(frozen=True, slots=True)
class Load:
    """How much of which request; it ends at the first limit reached, or when it is told to."""

    ask: Ask
    clients: int = 8  # at once, each sends its next request when it has its answer
    rate: float | None = None  # instead: new requests a second, however slow the answers
    requests: int | None = None
    seconds: float | None = None
    keep_alive: bool = False


@dataclass(slots=True)
class Summary:
    """What became of the requests; times in seconds."""

    connections: str
    sent: int = 0
    answered: int = 0
    lost: int = 0
    lost_by_reason: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    duration: float = 0.0
    latency_p50: float | None = None
    latency_p99: float | None = None
    first_token_p50: float | None = None
    first_token_p99: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The summary for a report."""
        return asdict(self)


class _Run:
    """One load while it runs."""

    def __init__(
        self,
        load: Load,
        session: aiohttp.ClientSession,
        stop: asyncio.Event,
        verdicts: list[Verdict],
    ) -> None:
        self.verdicts = verdicts
        self.sent = 0
        self._load = load
        self._session = session
        self._stop = stop

    async def client(self) -> None:
        """Send one request after the other."""
        while self._more():
            await self.one(self._next())

    async def arrivals(self, rate: float) -> None:
        """Start requests at even distances in time, and wait for the last answer."""
        clock = asyncio.get_running_loop().time
        began = clock()
        async with asyncio.TaskGroup() as group:
            while self._more():
                group.create_task(self.one(self._next()))
                due = began + self.sent / rate
                await _set_within(self._stop, due - clock())

    async def one(self, number: int) -> None:
        """Send one request and keep its verdict."""
        verdict = await send(self._session, self._load.ask, number)
        self.verdicts.append(verdict)
        if verdict.lost is not None:
            await _set_within(self._stop, 0.05)  # a refusing server is not to be hammered

    def _more(self) -> bool:
        limit = self._load.requests
        return not self._stop.is_set() and (limit is None or self.sent < limit)

    def _next(self) -> int:
        self.sent += 1
        return self.sent


async def run_load(
    load: Load,
    stop: asyncio.Event | None = None,
    connector: aiohttp.BaseConnector | None = None,
    verdicts: list[Verdict] | None = None,
) -> Summary:
    """Run the load; when ``stop`` is set no request begins, and those in flight are awaited.

    ``connector`` reaches addresses of a test cluster; it must close connections as the load asks.
    ``verdicts`` is where they are put as they come, for who looks on.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    began = loop.time()
    timer = loop.call_later(load.seconds, stop.set) if load.seconds is not None else None
    connector = connector or aiohttp.TCPConnector(limit=0, force_close=not load.keep_alive)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        run = _Run(load, session, stop, [] if verdicts is None else verdicts)
        if load.rate is not None:
            await run.arrivals(load.rate)
        else:
            await asyncio.gather(*(run.client() for _ in range(load.clients)))
    if timer is not None:
        timer.cancel()
    return _summary(load, run, loop.time() - began)


def _summary(load: Load, run: _Run, duration: float) -> Summary:
    reasons = Counter(verdict.lost for verdict in run.verdicts if verdict.lost is not None)
    answered = [verdict for verdict in run.verdicts if verdict.lost is None]
    latencies = sorted(verdict.seconds for verdict in answered)
    firsts = sorted(
        verdict.first_token_seconds
        for verdict in answered
        if verdict.first_token_seconds is not None
    )
    return Summary(
        connections="kept alive" if load.keep_alive else "one per request",
        sent=run.sent,
        answered=len(answered),
        lost=run.sent - len(answered),
        lost_by_reason=dict(sorted(reasons.items())),
        tokens=sum(verdict.tokens for verdict in answered),
        duration=round(duration, 3),
        latency_p50=_quantile(latencies, 0.5),
        latency_p99=_quantile(latencies, 0.99),
        first_token_p50=_quantile(firsts, 0.5),
        first_token_p99=_quantile(firsts, 0.99),
    )


def _quantile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    """Wait ``seconds``, or less if the event is set."""
    try:
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()
    except TimeoutError:
        return
