"""Gives out GPUs, nodes and pulls over all deployments in one pass.

The controller calls it under its key ``fleet``, the only place where shared things are given out;
what replicas hold already is fixed input, so a healthy replica is never moved or planned anew
because nodes came or went. Pure and deterministic: the order of the input does not matter.

Order: the minReplicas of all deployments, older ones first; then further replicas one at a time
by turns. A slot goes where its weights are verified, else where they are wanted or pulled, else
where the pool says; a node where they failed comes last. Replicas of one deployment are kept
apart where that leaves nobody without a place (core/fleet/spread.py). An outdated replica is
planned anew in its own slot: its own GPUs count as free for its replacement, so a rollout needs no
spare GPU.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.fleet.drafts import draft_of
from escadre.core.fleet.finish import Given, finished
from escadre.core.fleet.insufficient import Insufficient
from escadre.core.fleet.packing import Placed, placed, together
from escadre.core.fleet.placement import Draft, Standing
from escadre.core.fleet.planned import DeploymentPlan, FleetPlan, SlotPlan
from escadre.core.fleet.remembered import Remembered
from escadre.core.fleet.repull import renewed_pulls
from escadre.core.layouts.decisions import Layouts
from escadre.reasons.said import NOTHING

__all__ = ["DeploymentPlan", "FleetPlan", "Remembered", "SlotPlan", "plan_fleet", "replan"]


def plan_fleet(snapshot: FleetSnapshot) -> FleetPlan:
    """Plans every deployment and node of the snapshot."""
    return replan(snapshot, None).plan


def replan(snapshot: FleetSnapshot, last: Remembered | None) -> Remembered:
    """The plan of `plan_fleet`, made from the last pass as far as that still says the same.

    Decided anew are deployments that changed, wait or are not bound yet, pulls on their nodes and
    on nodes that changed, and those that wait for a mirror. All else follows from facts that are as
    they were.
    """
    last = (last.seen_from(snapshot) if last else None) or Remembered.nothing(snapshot)
    ground, changed = last.ground, last.difference(snapshot)
    room, bound = last.room(changed)
    layouts = Layouts(ground.products, snapshot.gpu_memory_utilization_percent, snapshot.profile)

    def draft(one: DeploymentFacts, standing: Standing) -> Draft:
        return draft_of(one, layouts, standing, ground.closed)

    found = placed(changed.facts, draft, room)
    drafts = {**last.without(changed.keys), **found.drafts}
    pulls, touched = renewed_pulls(last.pulls, changed.keys, drafts, ground, snapshot)
    waits = any(one.unplaced for one in found.drafts.values())
    given = Given(
        pulls.states,
        Insufficient(found.pool, drafts.values(), ground.nodes, snapshot.unused),
        {} if waits else ground.nodes,
    )
    anew = drafts.keys() if waits != last.waits else touched & drafts.keys()
    plans = _plans(last, drafts, anew, found, given)
    return Remembered(
        plan=FleetPlan(plans, pulls.wanted, pulls.mirrors, snapshot, ground.nodes),
        ground=ground,
        drafts=drafts,
        restless=frozenset(key for key, one in found.drafts.items() if not one.steady),
        bound=bound,
        pool=room.pool,
        sizes=found.sizes,
        pulls=pulls,
        waits=waits,
    )


def _plans(
    last: Remembered,
    drafts: Mapping[DeploymentKey, Draft],
    anew: AbstractSet[DeploymentKey],
    found: Placed,
    given: Given,
) -> dict[DeploymentKey, DeploymentPlan]:
    """The plans of some deployments made anew, and those of others, as long as they say the same.

    Why replicas are on one node is a matter of what others have left.
    """
    before = last.plan.deployments
    plans = {key: plan for key, plan in before.items() if key in drafts and key not in anew}
    told = {key for key, plan in plans.items() if plan.together != NOTHING}
    for key in anew | told:
        draft = drafts[key]
        why = together(draft, found)
        if key in anew or why != before[key].together:
            plans[key] = finished(draft, given, why)
    return dict(sorted(plans.items(), key=lambda one: (one[0].namespace, one[0].name)))
