"""Which replicas may be made again where they were, without planning the fleet anew. Pure.

A replica whose Deployment somebody deleted is missed by its users: where a new plan could place it
no better and nobody waits for the GPUs it left, it is made at once. Told to the plan by
core/fleet/plan.py, asked for by core/fleet/freshness.py.
"""

from collections.abc import Mapping

from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.placement import Draft, Slot

__all__ = ["remade"]


def remade(draft: Draft, nodes: Mapping[str, NodeFacts]) -> frozenset[int]:
    """Slots whose node is open to them, with a ready agent and their weights."""
    return frozenset(slot.number for slot in draft.slots if slot.settled and _at_home(slot, nodes))


def _at_home(slot: Slot, nodes: Mapping[str, NodeFacts]) -> bool:
    node = nodes.get(slot.node or "")
    if node is None or slot.replica is None:
        return False
    open_to_it = node.agent_ready and not node.blocked
    return open_to_it and slot.replica.manifest_digest in node.verified
