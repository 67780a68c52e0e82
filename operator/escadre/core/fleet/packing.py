"""A node for every slot that has none: spread, or packed where that places one more. Pure.

core/fleet/plan.py asks once a pass, for the deployments that are decided anew; what others have
stands in the pool already.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey
from escadre.core.fleet.placement import Draft, Standing, ask_of, claim, place_all
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.spread import Holders, Whereabouts
from escadre.core.layouts.alternatives import Size
from escadre.reasons.said import NOTHING, Amount, Said, say

__all__ = ["Placed", "Room", "placed", "together"]


class Room(NamedTuple):
    """What there is before a pass: GPUs, weights, and the sizes that others may have."""

    pool: GPUPool
    weights: Whereabouts
    sizes: Counter[Size]


class Placed(NamedTuple):
    """Drafts whose slots have their nodes, and what that was decided with."""

    drafts: Mapping[DeploymentKey, Draft]
    pool: GPUPool
    weights: Holders
    sizes: Counter[Size]

    @property
    def homeless(self) -> set[tuple[DeploymentKey, int]]:
        """Slots that got no node."""
        drafts = self.drafts.items()
        return {(key, slot.number) for key, draft in drafts for slot in draft.unplaced}


def placed(
    facts: Sequence[DeploymentFacts],
    draft: Callable[[DeploymentFacts, Standing], Draft],
    room: Room,
) -> Placed:
    """A node for every slot; packed as tightly as can be where that places one more.

    ``facts`` are in order of precedence; the room stays as it is.
    """
    claimed = room.pool.renewed({})
    standing = claim(facts, claimed)

    def place(drafts: dict[DeploymentKey, Draft], *, spreads: bool) -> Placed:
        pool, weights = claimed.renewed({}), Holders(room.weights, spreads=spreads)
        sizes = room.sizes + Counter(size for one in drafts.values() for size in one.sizes)
        place_all(drafts.values(), pool, weights, by_product(sizes))
        return Placed(drafts, pool, weights, sizes)

    spread = place({one.key: draft(one, standing) for one in facts}, spreads=True)
    if not spread.homeless or not spread.weights.spread:
        return spread
    again = {
        key: one if one.steady else draft(one.facts, standing) for key, one in spread.drafts.items()
    }
    packed = place(again, spreads=False)
    return packed if spread.homeless - packed.homeless else spread


def by_product(sizes: Iterable[Size]) -> dict[str, tuple[int, ...]]:
    """How many GPUs of each product the layouts take that deployments may have."""
    found: dict[str, list[int]] = {}
    for product, gpus in sorted(sizes):
        found.setdefault(product, []).append(gpus)
    return {product: tuple(gpus) for product, gpus in found.items()}


def together(draft: Draft, found: Placed) -> Said:
    """Why all of several replicas are on one node, after a pass; nothing where they are not."""
    taken = [slot.node for slot in draft.slots if slot.node is not None]
    node = taken[0] if taken else None
    if node is None or len(taken) < 2 or set(taken) != {node}:  # noqa: PLR2004 - more than one
        return NOTHING
    ask = ask_of(draft, draft.choices[0], by_product(found.sizes), but=-1)
    if not found.weights.spreads and not all(slot.settled for slot in draft.slots):
        why = say("apart they would leave another replica without a node")
    else:
        why = found.weights.why_together(found.pool, ask, node)
    number = Amount("both replicas" if len(taken) == 2 else f"all {len(taken)} replicas")  # noqa: PLR2004
    return say("{number} on node {node}: {why}", number=number, node=node, why=why)
