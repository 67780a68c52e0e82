"""A serving deployment for the length of a case, its pods, and requests that run beside the case.

Used by the cases; what they expect of it is theirs to say.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from e2e.cluster.pods import is_ready
from e2e.engine.load.request import Ask, Verdict
from e2e.engine.load.run import Load, Summary, run_load
from e2e.stage.stage import TEAM, Json, Stage

__all__ = ["Traffic", "pods_of", "ready_pods", "serving"]


@contextmanager
def serving(stage: Stage, name: str, **spec: Any) -> Iterator[None]:
    """A deployment of the model ``base`` that is Ready; deleted at the end."""
    stage.deploy(name, "base", **spec)
    try:
        stage.wait_condition(name, "Ready", "Ready")
        yield
    finally:
        stage.cluster.kubectl("delete", "mdep", name, "-n", TEAM)


def pods_of(stage: Stage, name: str) -> list[Json]:
    """The engine pods of a deployment, also those that leave."""
    return stage.cluster.list("pods", "-n", TEAM, "-l", f"escadre.dev/deployment={name}")


def ready_pods(stage: Stage, name: str) -> dict[str, Json]:
    """Its Ready pods that stay, by uid."""
    return {
        pod["metadata"]["uid"]: pod
        for pod in pods_of(stage, name)
        if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
    }


class Traffic:
    """Requests through the Service of a deployment, in a thread, while a ``with`` block runs.

    ``summary`` stands after the block, when every answer has come.
    """

    def __init__(
        self,
        stage: Stage,
        name: str,
        *,
        clients: int = 1,
        rate: float | None = None,
        requests: int | None = None,
        max_tokens: int = 8,
        stream: bool = False,
        keep_alive: bool = False,
    ) -> None:
        address = stage.cluster.get("service", name, TEAM)["spec"]["clusterIP"]
        ask = Ask(f"http://{address}", name, max_tokens=max_tokens, stream=stream)
        self._load = Load(ask, clients=clients, rate=rate, requests=requests, keep_alive=keep_alive)
        self._cluster = stage.cluster
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._summary: Summary | None = None
        self._verdicts: list[Verdict] = []

    @property
    def ended(self) -> int:
        """How many requests have ended until now, well or not."""
        return len(self._verdicts)

    @property
    def lost(self) -> int:
        """How many of these were not answered in full."""
        return sum(one.lost is not None for one in list(self._verdicts))

    @property
    def summary(self) -> Summary:
        """What became of the requests."""
        assert self._summary is not None, "the load did not end by itself"
        return self._summary

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(self._load.ask.seconds)
        self._loop.close()

    def _run(self) -> None:
        self._summary = self._loop.run_until_complete(self._requests())

    async def _requests(self) -> Summary:
        connector = self._cluster.connector(force_close=not self._load.keep_alive, limit=0)
        return await run_load(self._load, self._stop, connector, self._verdicts)
