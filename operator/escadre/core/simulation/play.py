"""The clock of a simulation: arrivals, scrapes, looks and rounds of one or more deployments.

cli/simulate plays one, the benchmark of policies (e2e/bench/autoscale) also two that share their
GPUs. Pure: the same settings, the same outcome.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from escadre.core.simulation.deciding import Policy, Product, Sight
from escadre.core.simulation.fleet import Fleet
from escadre.core.simulation.outcome import Outcome
from escadre.core.simulation.pool import Pool
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import Setting

__all__ = ["Played", "simulate", "simulate_together"]


@dataclass(frozen=True, slots=True)
class Played:
    """A deployment to play: its requests in order of arrival, and who decides; None: the operator.

    Raises nothing: requests that no engine takes are counted as refused.
    """

    requests: Sequence[Request]
    setting: Setting
    policy: Policy | None = None


def simulate(
    requests: Sequence[Request], setting: Setting, policy: Policy | None = None
) -> Outcome:
    """Plays one deployment, with GPUs for all it asks, until its last request is answered."""
    return simulate_together([Played(requests, setting, policy)])[0]


def simulate_together(every: Sequence[Played], gpus: int | None = None) -> list[Outcome]:
    """Plays deployments that share so many GPUs; None: there are enough."""
    pool = Pool(gpus)
    fleets = [
        Fleet(one.setting, one.policy or _product(one.setting), pool, place)
        for place, one in enumerate(every)
    ]
    for fleet in fleets:
        fleet.begin()
    rounds = _Rounds(fleets)
    for at, place, request in _arrivals(every):
        rounds.until(at)
        fleets[place].route(request)
    while any(fleet.busy for fleet in fleets):
        rounds.until(rounds.next_at)
    return [fleet.outcome() for fleet in fleets]


def _product(setting: Setting) -> Product:
    return Product(setting.scaled, Sight(setting.scaled.every))


def _arrivals(every: Sequence[Played]) -> Iterator[tuple[float, int, Request]]:
    logs = [[(one.at, place, one) for one in each.requests] for place, each in enumerate(every)]
    return heapq.merge(*logs, key=lambda one: one[:2])


class _Rounds:
    """What happens at even times: of each deployment scrapes, then looks, then its round."""

    def __init__(self, fleets: Sequence[Fleet]) -> None:
        self._due: list[tuple[float, int, int, int]] = []  # at, rank, place, how many before
        self._deeds: dict[tuple[int, int], tuple[float, Callable[[float], None]]] = {}
        for place, fleet in enumerate(fleets):
            deeds = (
                (fleet.policy.sight.every, fleet.scrape),
                (fleet.policy.every, fleet.look),
                (fleet.setting.scaled.every, fleet.carry_out),
            )
            for rank, deed in enumerate(deeds):
                self._deeds[rank, place] = deed
                self._due.append((0.0, rank, place, 0))
        heapq.heapify(self._due)

    @property
    def next_at(self) -> float:
        """When the next thing happens."""
        return self._due[0][0]

    def until(self, at: float) -> None:
        """All that is due by then."""
        while self._due[0][0] <= at:
            now, rank, place, before = self._due[0]
            every, deed = self._deeds[rank, place]
            deed(now)
            heapq.heapreplace(self._due, ((before + 1) * every, rank, place, before + 1))
