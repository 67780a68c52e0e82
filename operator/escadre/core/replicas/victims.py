"""Which replicas go when there are more than are wanted. Pure; scaling says how many, never who."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from escadre.core.replicas.relief import NO_RELIEF, Relief
from escadre.core.replicas.rollout import ReplicaView

__all__ = ["choose_leaving"]

_NOWHERE: Final[Mapping[int, Relief]] = MappingProxyType({})


def choose_leaving(
    replicas: Sequence[ReplicaView], desired: int, relief: Mapping[int, Relief] = _NOWHERE
) -> frozenset[int]:
    """Slots that go when there are more than ``desired``: not ready first, then fewest in flight.

    Of those with as many the one goes whose leaving helps planning most; ``relief`` is by slot.

    A replica that is draining to go already is chosen first, so that a choice once made stands. Of
    those that load the one that began last goes first: least is lost with it. One that fails goes
    before them.
    """
    alive = [replica for replica in replicas if not replica.terminating]
    ranked = sorted(
        alive,
        key=lambda replica: (
            replica.drain is not None and replica.drain.cause == "ScaleDown",
            replica.state != "Ready",
            not replica.current,
            replica.state == "Failing",
            replica.since if replica.state != "Ready" else 0.0,
            -(replica.in_flight or 0),
            relief.get(replica.slot, NO_RELIEF),
            replica.slot,
        ),
    )
    return frozenset(replica.slot for replica in ranked[desired:])
