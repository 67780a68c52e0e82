"""What so many replicas serve together, and how few of them serve a demand. Pure.

Shared well, each of many replicas serves more than one alone (core/scaling/capacity.py), so how
many are needed depends on how many there would be.
"""

from collections.abc import Callable
from typing import NamedTuple

from escadre.core.engines.speed import Speed
from escadre.core.scaling.capacity import Capacity, Mix, capacity_of, sustained
from escadre.core.scaling.decision import enough
from escadre.core.scaling.service import Service
from escadre.core.scaling.sharing import as_one_queue

__all__ = ["Serving"]


class Serving(NamedTuple):
    """Replicas of one deployment.

    Args:
        speed: the prior's or what was learned.
        even: how evenly requests are shared, from 0 to 1.
        most: replicas; each of more than these serves no more than each of so many.
        borne: what can be borne instead of what keeps the level.
    """

    speed: Speed
    mix: Mix
    service: Service
    even: float
    most: int
    borne: bool = False

    def each(self, replicas: int) -> Capacity:
        """Of one of so many."""
        of, service = sustained if self.borne else capacity_of, self.service
        together = as_one_queue(min(replicas, self.most), self.even)
        return of(self.speed, self.mix, service.prior, service.level, together)

    def fewest(self, load: Callable[[Capacity], float]) -> tuple[int, Capacity]:
        """Replicas that are enough for the ``load`` by the capacity of each, and that capacity.

        For nothing it is none, and the capacity of one.
        """
        alone = self.each(1)
        enough_for = enough(load(alone))
        if not self.even or enough_for <= 1:
            return enough_for, alone
        least = enough(load(self.each(self.most)))
        while least < enough_for:
            middle = (least + enough_for) // 2
            if enough(load(self.each(middle))) <= middle:
                enough_for = middle
            else:
                least = middle + 1
        return least, self.each(least)
