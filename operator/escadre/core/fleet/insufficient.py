"""What is missing where a replica has no node: GPUs, who holds them, which are not counted. Pure.

core/fleet/plan.py asks at the end of a pass.
"""

from collections.abc import Iterable, Mapping, Sequence

from escadre.api.deployment import Layout
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.occupancy import Occupancy
from escadre.core.fleet.placement import Draft
from escadre.core.fleet.pool import GPUPool
from escadre.core.fleet.uncounted import uncounted
from escadre.reasons.said import Said, joined

__all__ = ["Insufficient"]


class Insufficient:
    """Messages for slots without a node, made once per product and size."""

    def __init__(
        self,
        pool: GPUPool,
        drafts: Iterable[Draft],
        nodes: Mapping[str, NodeFacts],
        unused: Sequence[Unused],
    ) -> None:
        self._pool, self._unused = pool, unused
        self._drafts, self._nodes = drafts, nodes
        self._occupancy: Occupancy | None = None
        self._messages: dict[tuple[str, int], Said] = {}

    def message(self, layout: Layout) -> Said:
        """Why nobody has so many GPUs of the product."""
        key = (layout.product, layout.gpus)
        if key not in self._messages:
            self._messages[key] = self._describe(layout)
        return self._messages[key]

    def _describe(self, layout: Layout) -> Said:
        """What is missing, who holds what there is, and what is not counted; when somebody asks."""
        self._occupancy = self._occupancy or Occupancy(self._drafts, self._nodes)
        missing = self._pool.describe(layout.product, layout.gpus)
        held = self._occupancy.describe(layout.product)
        closed = uncounted(self._unused, layout.product)
        return joined("; ", [missing, *(part for part in (held, closed) if part)])
