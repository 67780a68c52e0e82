"""What a planning pass leaves for the next one, and what of it another snapshot changes. Pure.

core/fleet/plan.py makes it and begins with it; no plan depends on it. Most deployments are steady:
their plan follows from their own facts, and a pass that finds them as they were needs not look at
them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.fleet.ground import Ground
from escadre.core.fleet.packing import Room
from escadre.core.fleet.placement import Draft, bound_gpus
from escadre.core.fleet.planned import FleetPlan
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.pullplan import PullPlan
from escadre.core.layouts.alternatives import Size

__all__ = ["Difference", "Remembered"]

_FEW: Final = 4  # with more than one in four other nodes it is no longer faster


class Difference(NamedTuple):
    """Deployments to be decided anew, in order of precedence, and those that are gone."""

    facts: Sequence[DeploymentFacts]
    gone: frozenset[DeploymentKey]

    @property
    def keys(self) -> frozenset[DeploymentKey]:
        """All of them."""
        return self.gone.union(one.key for one in self.facts)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A pass as it ended. Nothing in it is changed by the passes that begin with it.

    ``bound`` are GPUs that bound replicas hold by node, ``pool`` has what they leave; ``restless``
    are deployments that are not steady; ``waits``: whether a slot has no node.
    """

    plan: FleetPlan
    ground: Ground
    drafts: Mapping[DeploymentKey, Draft]
    restless: frozenset[DeploymentKey]
    bound: Mapping[str, int]
    pool: GPUPool
    sizes: Counter[Size]
    pulls: PullPlan
    waits: bool

    @staticmethod
    def nothing(snapshot: FleetSnapshot) -> "Remembered":
        """The nodes of a snapshot, and no deployments."""
        ground, pulls = (
            Ground.of(snapshot),
            PullPlan.empty(sorted(one.name for one in snapshot.nodes)),
        )
        return Remembered(
            plan=FleetPlan(
                {}, pulls.wanted, pulls.mirrors, replace(snapshot, deployments=()), ground.nodes
            ),
            ground=ground,
            drafts={},
            restless=frozenset(),
            bound={},
            pool=GPUPool(ground.nodes.values(), {}),
            sizes=Counter(),
            pulls=pulls,
            waits=False,
        )

    def seen_from(self, snapshot: FleetSnapshot) -> "Remembered | None":
        """It, on the nodes of a snapshot; None where that changes more than deployments and nodes.

        Nor may there be other nodes, or other products of them: then other layouts are possible.
        """
        then = self.plan.made_for
        if replace(then, deployments=(), nodes=()) != replace(snapshot, deployments=(), nodes=()):
            return None
        same = {id(one) for one in then.nodes}
        others = [one for one in snapshot.nodes if id(one) not in same]
        others = [one for one in others if self.ground.nodes.get(one.name) != one]
        if len(then.nodes) != len(snapshot.nodes) or len(others) > len(then.nodes) // _FEW:
            return None
        ground = self.ground.renewed(others) if others else self.ground
        if ground is None:
            return None
        names = {one.name for one in others}
        taken = {name: self.bound.get(name, 0) for name in names}
        pulls = replace(self.pulls, open=self.pulls.open | names)
        return replace(self, ground=ground, pool=self.pool.renewed(taken, others), pulls=pulls)

    def difference(self, snapshot: FleetSnapshot) -> Difference:
        """What a pass over the snapshot has to decide anew."""
        then = self.plan.made_for.deployments
        same = {id(one) for one in then} & {id(one) for one in snapshot.deployments}
        before = {one.key: one for one in then if id(one) not in same}
        others = [one for one in snapshot.deployments if id(one) not in same]
        changed = {one.key: one for one in others if before.get(one.key) != one}
        gone = frozenset(before.keys() - {one.key for one in others})
        restless = (self.drafts[key].facts for key in self.restless - gone - changed.keys())
        facts = sorted([*changed.values(), *restless], key=lambda one: (one.created, one.key))
        return Difference(facts, gone)

    def without(self, keys: Iterable[DeploymentKey]) -> dict[DeploymentKey, Draft]:
        """Its drafts but for some deployments'."""
        drafts = dict(self.drafts)
        for key in keys:
            drafts.pop(key, None)
        return drafts

    def room(self, difference: Difference) -> tuple[Room, dict[str, int]]:
        """What the deployments that stay as they are leave, with what the others have bound.

        Also the GPUs that are bound now, by node.
        """
        old = [self.drafts[key] for key in difference.keys & self.drafts.keys()]
        bound, touched = dict(self.bound), set[str]()
        for sign, facts in (-1, [one.facts for one in old]), (1, difference.facts):
            for name, gpus in bound_gpus(facts):
                bound[name] = bound.get(name, 0) + sign * gpus
                touched.add(name)
        sizes = self.sizes - Counter(size for one in old for size in one.sizes)
        pool = self.pool.renewed({name: bound[name] for name in touched})
        return Room(pool, self.ground.weights, sizes), bound
