"""Which weights slots need where, and where replicas have theirs already. Pure.

core/fleet/plan.py asks, for core/fleet/pulls.py to decide on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.mirrorload import Place
from escadre.core.fleet.placement import Draft, Rank

__all__ = ["Need", "held", "needs"]


class Need(NamedTuple):
    """A deployment's replica needs its model's weights on a node; ``rank``: who comes first."""

    rank: Rank
    place: Place
    model: ApprovedModel
    whose: DeploymentKey


def needs(drafts: Iterable[Draft]) -> Iterator[Need]:
    """Weights that slots need; also where an outdated replica serves the same."""
    for draft in drafts:
        model = draft.facts.model
        if model is None:
            continue
        for slot in draft.slots:
            names = {slot.node}
            replica = slot.replica
            if (
                replica is not None
                and slot.holds
                and replica.manifest_digest == model.manifest_digest
            ):
                names.add(replica.node)
            for name in sorted(name for name in names if name is not None):
                place = Place(name, model.manifest_digest)
                yield Need(slot.rank, place, model, draft.facts.key)


def held(facts: Iterable[DeploymentFacts]) -> dict[Place, set[DeploymentKey]]:
    """Where whose replicas are, bound or planned, with the weights they serve."""
    places: dict[Place, set[DeploymentKey]] = {}
    for one in facts:
        for replica in one.replicas:
            if replica.node is not None and replica.manifest_digest:  # "": its inputs are damaged
                place = Place(replica.node, replica.manifest_digest)
                places.setdefault(place, set()).add(one.key)
    return places
