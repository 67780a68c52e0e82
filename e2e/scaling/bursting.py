"""What the cases of scaling share: a burst that wants four replicas, and its account.

Called by the cases beside it; what they expect is theirs to say.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.wait import wait_for
from e2e.stage.ledger import Ledger
from e2e.stage.stage import Json, Stage

__all__ = [
    "CLIENTS",
    "HANG",
    "HOLD",
    "LOAD_SECONDS",
    "MOST",
    "STALE_SECONDS",
    "WINDOW_SECONDS",
    "Burst",
    "bursting",
]

HOLD: Final = "/tmp/hold"  # noqa: S108 - of a pod's own; while it is there its engine gives no token
HANG: Final = "/tmp/hang"  # noqa: S108 - the same, and its numbers stand still whatever comes
LOAD_SECONDS: Final = 4
STALE_SECONDS: Final = 6
WINDOW_SECONDS: Final = 10
MOST: Final = 4
CLIENTS: Final = 24
_SPEC: Final[Json] = {
    "concurrency": 4,
    "scaling": {"minReplicas": 1, "maxReplicas": MOST, "targetQueueDepth": 4},
}


class Burst:
    """A deployment that has more requests than three replicas hold, from ``begin`` to ``end``."""

    def __init__(self, stage: Stage, name: str, ledger: Ledger) -> None:
        self.stage, self.name, self.ledger = stage, name, ledger
        self.loads = (
            Traffic(stage, name, clients=CLIENTS // 2 - 2, max_tokens=60),
            Traffic(stage, name, clients=CLIENTS // 2 - 2, max_tokens=60, keep_alive=True),
            Traffic(stage, name, clients=4, max_tokens=400, stream=True),
        )
        self._running = ExitStack()

    def begin(self) -> None:
        """Clients of both kinds go on without a pause from now on."""
        for load in self.loads:
            self._running.enter_context(load)

    def ready(self) -> int:
        """How many replicas are Ready and stay."""
        return len(ready_pods(self.stage, self.name))

    def ended(self) -> int:
        """Requests that ended until now, well or not."""
        return sum(load.ended for load in self.loads)

    def lost(self) -> int:
        """Those of them that were not answered in full."""
        return sum(load.lost for load in self.loads)

    def why_lost(self) -> Counter[str]:
        """The same by reason; after the end."""
        reasons: Counter[str] = Counter()
        for load in self.loads:
            reasons.update(load.summary.lost_by_reason)
        return reasons

    def under_way(self) -> None:
        """Waits until the number went up and the replicas for it load."""
        wait_for(lambda: max(self.ledger.numbers, default=0) == MOST, 60, "the number to go up")

    def at_peak(self) -> None:
        """Waits until all replicas serve."""
        wait_for(lambda: self.ready() == MOST, 90, f"{MOST} ready replicas")

    def end(self) -> None:
        """No request begins any more; returns when all have ended."""
        self._running.close()

    def until_back(self) -> None:
        """Waits for one replica again, and nothing of the others."""
        wait_for(lambda: len(pods_of(self.stage, self.name)) == 1, 120, "one pod again")
        wait_for(lambda: self.ledger.numbers[-1:] == [1], 20, "the number to be told")


@contextmanager
def bursting(stage: Stage, name: str, *, begun: bool = True) -> Iterator[Burst]:
    """Serves, and sends requests unless that is left to the case."""
    with serving(stage, name, **_SPEC), Ledger(stage, name) as ledger:
        burst = Burst(stage, name, ledger)
        if begun:
            burst.begin()
        try:
            yield burst
        finally:
            burst.end()
            if burst.ended():
                print(f"{name}: {burst.ended()} requests, lost {dict(burst.why_lost())}")
                print(f"{name}: {ledger.numbers}, {ledger.bill()}")
