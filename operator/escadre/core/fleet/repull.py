"""Pulls of the nodes that a pass concerns, beside those of all others as they were. Pure.

core/fleet/plan.py asks. What a node is told to pull follows from who needs what there; only pulls
that are not admitted yet depend on those of other nodes.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.fleet.ground import Ground
from escadre.core.fleet.needs import held, needs
from escadre.core.fleet.placement import Draft
from escadre.core.fleet.pullplan import PullPlan
from escadre.core.fleet.pulls import plan_pulls

__all__ = ["renewed_pulls"]


def renewed_pulls(
    last: PullPlan,
    changed: AbstractSet[DeploymentKey],
    drafts: Mapping[DeploymentKey, Draft],
    ground: Ground,
    snapshot: FleetSnapshot,
) -> tuple[PullPlan, set[DeploymentKey]]:
    """The pulls of now, and the deployments of which they may say another thing."""
    mine = [drafts[key] for key in changed & drafts.keys()]
    needed, there = list(needs(mine)), held(draft.facts for draft in mine)
    nodes = last.open.union(
        (one.node for one, keys in last.owners.items() if not keys.isdisjoint(changed)),
        (one.place.node for one in needed),
        (one.node for one in there),
    )
    touched = set(changed)
    touched.update(*(keys for one, keys in last.owners.items() if one.node in nodes))
    others = [drafts[key] for key in touched - changed]
    needed.extend(one for one in needs(others) if one.place.node in nodes)
    for place, keys in held(draft.facts for draft in others).items():
        if place.node in nodes:
            there.setdefault(place, set()).update(keys)
    pulls = plan_pulls(
        ground,
        snapshot,
        sorted(needed, key=lambda one: one.rank),
        there,
        last.without(nodes),
    )
    return pulls, touched
