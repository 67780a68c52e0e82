"""One row in a process of its own: ``python -m e2e.bench.plan.rows ROW DEPLOYMENTS NODES``.

The fleet is made, then one pass over it is timed: seconds of this process's processor time, which
other load on the machine lengthens less than time on the clock. Prints one line of JSON. The row
``cold`` also runs in builds before; the others in this one.
"""

import gc
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, Final, NamedTuple

from e2e.bench.plan.fleet import snapshot
from e2e.bench.plan.words import word

__all__ = ["ROWS", "Begin", "run"]

_SEED: Final = 5
_VANISHED: Final = 0.05  # of the nodes
_GARBAGE: Final = (10_000, 20, 20)  # as 0.1.0's operator has it, the same for each build


class Begin(NamedTuple):
    """What a pass sees, and what the last one left to it; None: nothing was planned before."""

    seen: Any
    last: Any = None


def run(row: str, deployments: int, nodes: int) -> dict[str, float]:
    """Processor seconds of one pass, and the most memory that the process had, in MB."""
    gc.set_threshold(*_GARBAGE)
    seen, last = ROWS[row](snapshot(deployments, nodes))
    plan_fleet = word("plan_fleet") if last is None else _renewing(last)
    gc.collect()
    gc.freeze()
    began = time.process_time()
    plan = plan_fleet(seen)
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    slots = [slot for one in plan.deployments.values() for slot in one.slots]
    placed = sum(slot.node is not None for slot in slots)
    return {"seconds": seconds, "megabytes": peak, "replicas": len(slots), "placed": placed}


def _renewing(last: Any) -> Callable[[Any], Any]:
    return lambda seen: word("replan")(seen, last).plan


def _cold(seen: Any) -> Begin:
    return Begin(seen)


def _standing(seen: Any) -> Begin:
    """All replicas run where the plan put them, with their weights; nothing is left to do."""
    plan = word("plan_fleet")
    placed = _carried_out(seen, plan(seen))
    return Begin(_carried_out(placed, plan(placed)))


def _vanished(seen: Any) -> Begin:
    stood = _standing(seen).seen
    random = Random(_SEED)  # noqa: S311 - a fleet, the same in every run
    left = tuple(one for one in stood.nodes if random.random() >= _VANISHED)
    return Begin(replace(stood, nodes=left))


def _changed(seen: Any) -> Begin:
    """A team wishes for half the context; its replicas were made for the whole.

    Planned by an operator that has planned the fleet before, as it does.
    """
    stood = _standing(seen).seen
    number = len(stood.deployments) // 2
    one = stood.deployments[number]
    edited = replace(
        one,
        wish=replace(one.wish, context_length=one.wish.context_length // 2),
        replicas=tuple(replace(replica, wish_matches=False) for replica in one.replicas),
    )
    deployments = (*stood.deployments[:number], edited, *stood.deployments[number + 1 :])
    return Begin(replace(stood, deployments=deployments), word("replan")(stood, None))


def _carried_out(seen: Any, plan: Any) -> Any:
    """What the cluster makes of a plan, and all weights where they are needed."""
    verified: dict[str, set[str]] = {one.name: set(one.verified) for one in seen.nodes}
    for planned in plan.deployments.values():
        for slot in planned.slots:
            if slot.node is not None:
                verified[slot.node].add(slot.manifest_digest)
    return replace(
        seen,
        deployments=tuple(
            replace(one, replicas=_replicas(plan.deployments[one.key])) for one in seen.deployments
        ),
        nodes=tuple(
            replace(one, wanted=plan.nodes[one.name], verified=frozenset(verified[one.name]))
            for one in seen.nodes
        ),
    )


def _replicas(plan: Any) -> tuple[Any, ...]:
    return tuple(
        word("ReplicaFacts")(
            slot=slot.slot,
            node=slot.node,
            gpus=slot.layout.gpus,
            product=slot.layout.product,
            manifest_digest=slot.manifest_digest,
            wish_matches=True,
            layout=slot.layout,
            bound=True,
        )
        for slot in plan.slots
        if slot.node is not None and slot.layout is not None
    )


ROWS: Final[dict[str, Callable[[Any], Begin]]] = {
    "cold": _cold,
    "standing": _standing,
    "vanished": _vanished,
    "changed": _changed,
}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
