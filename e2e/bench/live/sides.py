"""One run of the trace on either side, told in the same numbers."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

from e2e.bench.live.compare import Measured
from e2e.bench.live.player import play
from e2e.bench.live.setting import NAME, Engine, setting
from e2e.bench.numbers import percentile
from e2e.cases.serving import ready_pods
from e2e.cluster.wait import wait_for
from e2e.stage.ledger import Ledger
from e2e.stage.stage import TEAM, Stage
from escadre.core.simulation.play import simulate
from escadre.core.simulation.replica import Request

__all__ = ["played_live", "played_virtually"]

_BUSY_SECONDS: Final = 10


def played_virtually(
    requests: Sequence[Request], engine: Engine, load_seconds: float, seed: int
) -> Measured:
    """By the simulator."""
    outcome = simulate(requests, setting(engine, load_seconds, seed))
    first, supply = outcome.answers.first_token, outcome.supply
    return Measured(
        requests=outcome.answers.requests,
        lost=outcome.answers.refused,
        replica_seconds=supply.gpu_seconds,
        first_p50=first[50] or 0.0,
        first_p95=first[95] or 0.0,
        most_replicas=supply.most_replicas,
        changes=supply.changes,
    )


def played_live(stage: Stage, requests: Sequence[Request]) -> Measured:
    """On the cluster; begins with one replica and ends when all requests have."""
    wait_for(lambda: len(ready_pods(stage, NAME)) == 1, 300, "one replica at the beginning")
    address = stage.cluster.get("service", NAME, TEAM)["spec"]["clusterIP"]
    connect = partial(stage.cluster.connector, force_close=True, limit=0)
    with Ledger(stage, NAME) as ledger, _Idle() as idle:
        wait_for(lambda: ledger.numbers, 30, "the number of replicas to be told")
        began = time.monotonic()
        verdicts = asyncio.run(play(requests, f"http://{address}", NAME, connect))
        bill = ledger.bill(began, time.monotonic())
        numbers = ledger.numbers
    firsts = [one.first_token_seconds for one in verdicts if one.first_token_seconds is not None]
    return Measured(
        requests=len(verdicts),
        lost=sum(one.lost is not None for one in verdicts),
        replica_seconds=bill.replica_seconds,
        first_p50=percentile(firsts, 0.5),
        first_p95=percentile(firsts, 0.95),
        most_replicas=max(numbers),
        changes=len(numbers) - 1,
        idle=idle.least,
    )


class _Idle:
    """Looks each second how much processor time the machine had left."""

    def __init__(self) -> None:
        self._shares: list[float] = []
        self._over = Event()
        self._thread = Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def least(self) -> float:
        """The least share of any ten seconds."""
        size = min(_BUSY_SECONDS, len(self._shares)) or 1
        spans = range(max(1, len(self._shares) - size + 1))
        return min(sum(self._shares[at : at + size]) / size for at in spans)

    def _look(self) -> None:
        idle, whole = _ticks()
        while not self._over.wait(1.0):
            before, (idle, whole) = (idle, whole), _ticks()
            self._shares.append((idle - before[0]) / max(1, whole - before[1]))


def _ticks() -> tuple[int, int]:
    """Of all processors since the start of the machine: idle ones, and all."""
    line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    numbers = [int(word) for word in line.split()[1:9]]
    return numbers[3], sum(numbers)
