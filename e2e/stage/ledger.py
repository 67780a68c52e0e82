"""Keeps account of one deployment's replicas: what was wished for, and each pod's life.

Fed by two watches of the API server while a ``with`` block runs, so what it counts costs the
operator nothing. Cases and benchmarks read it; what they expect is theirs to say.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from e2e.cluster.pods import is_ready
from e2e.cluster.programs import cache_folder
from e2e.stage.stage import TEAM, Json, Stage
from escadre.names import LABEL_DEPLOYMENT, LABEL_SERVING

__all__ = ["Account", "Bill", "Ledger", "Life", "turns"]


@dataclass(slots=True)
class Life:
    """One pod; seconds on the clock of ``time.monotonic``, None for what has not come."""

    name: str
    made: float
    ready: float | None = None
    leaving: float | None = None
    gone: float | None = None

    def see(self, pod: Json, at: float) -> None:
        """Takes up one state of it."""
        if self.ready is None and is_ready(pod):
            self.ready = at
        if self.leaving is None and _leaves(pod, was_ready=self.ready is not None):
            self.leaving = at


def _leaves(pod: Json, *, was_ready: bool) -> bool:
    """Deleted, or taken out of the Service that it was in."""
    meta = pod["metadata"]
    return "deletionTimestamp" in meta or (was_ready and not meta["labels"].get(LABEL_SERVING))


@dataclass(frozen=True, slots=True)
class Bill:
    """What the replicas took, in seconds of one replica.

    ``wasted`` are the loading and leaving ones; ``in_vain`` counts pods that never became ready.
    """

    replica_seconds: float
    loading: float
    serving: float
    leaving: float
    in_vain: int

    @property
    def wasted(self) -> float:
        """Seconds in which a replica held its GPUs and took no request."""
        return self.loading + self.leaving


def turns(numbers: Iterable[int]) -> int:
    """How often a course of numbers changes between rising and falling."""
    steps = [after > before for before, after in pairwise(numbers) if after != before]
    return sum(before != after for before, after in pairwise(steps))


@dataclass
class Account:
    """What was seen of one deployment. ``wishes``: the numbers that its status told, with times."""

    wishes: list[tuple[float, int]] = field(default_factory=list)
    lives: dict[str, Life] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        """The wished numbers in their order."""
        return [number for _, number in list(self.wishes)]

    def bill(self, since: float = 0.0, until: float | None = None) -> Bill:
        """What was taken between two times, until now without an end."""
        end = time.monotonic() if until is None else until
        loading = serving = leaving = 0.0
        for one in list(self.lives.values()):
            gone = min(end, one.gone or end)
            left = min(gone, one.leaving or gone)
            ready = min(left, one.ready or left)
            loading += max(0.0, ready - max(since, one.made))
            serving += max(0.0, left - max(since, ready))
            leaving += max(0.0, gone - max(since, left))
        in_vain = sum(one.ready is None and one.gone is not None for one in self.lives.values())
        return Bill(loading + serving + leaving, loading, serving, leaving, in_vain)

    def see_pod(self, pod: Json, at: float, what: str) -> None:
        """Takes up one state of a pod."""
        meta = pod["metadata"]
        life = self.lives.setdefault(meta["uid"], Life(meta["name"], at))
        life.see(pod, at)
        if what == "DELETED":
            life.gone = at

    def see_wish(self, deployment: Json, at: float, _: str) -> None:
        """Takes up one state of the deployment."""
        number = deployment.get("status", {}).get("replicas", {}).get("desired")
        if number is not None and (not self.wishes or self.wishes[-1][1] != number):
            self.wishes.append((at, number))


class Ledger(Account):
    """The account of what two watches tell while a ``with`` block runs."""

    def __init__(self, stage: Stage, name: str, namespace: str = TEAM) -> None:
        super().__init__()
        self._stage, self._name, self._namespace = stage, name, namespace
        self._watches: list[subprocess.Popen[bytes]] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        of_it = f"{LABEL_DEPLOYMENT}={self._name},escadre.dev/component=engine"
        self._watch(self.see_pod, "pods", "-l", of_it)
        self._watch(self.see_wish, "mdep", "--field-selector", f"metadata.name={self._name}")
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._watches:
            one.terminate()
            one.wait(timeout=10)
        for reader in self._readers:
            reader.join(timeout=10)

    def _watch(self, take: Callable[[Json, float, str], None], kind: str, *which: str) -> None:
        words = ("get", kind, "-n", self._namespace, *which, "-o", "json")
        watch = subprocess.Popen(
            [str(cache_folder() / "bin" / "kubectl"), *words, "--watch", "--output-watch-events"],
            env=self._stage.cluster.environment(),
            stdout=subprocess.PIPE,
        )
        reader = threading.Thread(target=self._read, args=(watch, take), daemon=True)
        reader.start()
        self._watches.append(watch)
        self._readers.append(reader)

    def _read(
        self, watch: "subprocess.Popen[bytes]", take: Callable[[Json, float, str], None]
    ) -> None:
        assert watch.stdout is not None
        with watch.stdout as lines:
            for line in lines:
                event = json.loads(line)
                take(event["object"], time.monotonic(), event["type"])
