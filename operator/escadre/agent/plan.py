"""What is done next with a node's store: steps, from what is wanted and what is held. Pure.

agent/keeper.py sees, asks here, and carries the steps out one by one. Which pull it is decides
agent/pull/choose.py. A step is a record of its own and an arm of the keeper's match.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from escadre.agent.pull.choose import FailedPull, choose
from escadre.agent.wish import Wish

__all__ = ["CancelPull", "Holdings", "StartPull", "Step", "StorePlan", "plan_store", "still_wanted"]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the node has.

    Args:
        verified: digests of the models that are verified.
        running: the pull under way.
        failures: of the last tries, by digest.
    """

    verified: AbstractSet[str]
    running: Wish | None
    failures: Mapping[str, FailedPull]


@dataclass(frozen=True, slots=True)
class StartPull:
    """Begin to pull."""

    wish: Wish


@dataclass(frozen=True, slots=True)
class CancelPull:
    """Call the running pull off; what is verified of it stays."""


Step = StartPull | CancelPull


@dataclass(frozen=True, slots=True)
class StorePlan:
    """Steps in their order, and when to look again if nothing happens before (None: whenever)."""

    steps: tuple[Step, ...]
    wake_at: float | None = None


def plan_store(wishes: Sequence[Wish], holdings: Holdings, now: float) -> StorePlan:
    """What to do now; ``now`` in monotonic seconds."""
    decision = choose(wishes, holdings.verified, holdings.running, holdings.failures, now)
    steps: list[Step] = []
    if decision.cancel:
        steps.append(CancelPull())
    if decision.start:
        steps.append(StartPull(decision.start))
    return StorePlan(tuple(steps), decision.wake_at)


def still_wanted(
    failures: Mapping[str, FailedPull], wishes: Sequence[Wish]
) -> dict[str, FailedPull]:
    """The failures of what is wanted yet: nobody asks about the others."""
    wanted = {wish.digest for wish in wishes}
    return {digest: failure for digest, failure in failures.items() if digest in wanted}
