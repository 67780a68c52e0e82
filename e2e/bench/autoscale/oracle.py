"""What nobody can beat, and what somebody who knows the future reaches.

The lower bound counts the engine's own costs: no schedule takes fewer GPU-seconds than the steps
that the requests need, each as full as --max-num-seqs allows, nor fewer than minReplicas all the
time. The clairvoyant schedule is feasible: it is played. It knows every arrival, though not what a
load will take, and asks for what will be needed within the next load.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from e2e.bench.autoscale.contender import Given, World
from escadre.core.simulation.deciding import Observation, Policy, Sight
from escadre.core.simulation.replica import ReplicaModel, Request
from escadre.core.simulation.setting import Scaled

__all__ = ["Clairvoyant", "clairvoyant", "lower_bound", "work_of"]

_STEP = 1.0  # seconds of a column of the forecast


def work_of(model: ReplicaModel, request: Request) -> float:
    """Seconds of a replica that a request takes at least, whoever runs beside it."""
    decode = model.speed.decode
    later = request.answer - 1
    cached = later * request.prompt + later * (later + 1) / 2
    step = decode.fixed / model.max_num_seqs + decode.per_running
    prompt = request.prompt / model.speed.prefill_tokens_per_second
    return prompt + later * step + decode.per_cached_token * cached


def lower_bound(
    model: ReplicaModel, requests: Sequence[Request], minimum: int, seconds: float
) -> float:
    """GPU-seconds that no schedule goes below."""
    work = sum(work_of(model, one) for one in requests)
    return model.gpus * max(minimum * seconds, work)


@dataclass(slots=True)
class Clairvoyant:
    """Wants at each moment what the fullest window within the next ``ahead`` seconds needs.

    Args:
        scaled: bounds and rounds.
        requests: all that will come.
        model: what a request takes of it.
        window: seconds over which work is evened: how late it may be done.
        use: share of a replica's time that is given away.
        ahead: seconds; more than a load mostly takes.
    """

    scaled: Scaled
    requests: Sequence[Request]
    model: ReplicaModel
    window: float
    use: float
    ahead: float
    sight: Sight = field(default_factory=lambda: Sight(math.inf))
    _wants: list[int] = field(default_factory=list)

    @property
    def every(self) -> float:
        """Of its rounds."""
        return self.scaled.every

    def __post_init__(self) -> None:
        self._wants = self._schedule()

    def _schedule(self) -> list[int]:
        """For each second the number of replicas to want."""
        width = max(1, round(self.window / _STEP))
        span = int(self.requests[-1].at / _STEP) + 1 if self.requests else 1
        work = [0.0] * (span + width)
        for one in self.requests:
            work[int(one.at / _STEP)] += work_of(self.model, one)
        need, running = [], 0.0
        for second in range(span):
            running += work[second] - (work[second - width] if second >= width else 0.0)
            need.append(math.ceil(running / (width * _STEP * self.use)))
        return _most_within(need, round(self.ahead / _STEP))

    def look(self, seen: Observation, now: float) -> int:
        """Of the schedule, within the bounds; nothing is asked of ``seen``."""
        del seen
        bounds = self.scaled.bounds
        second = int(now / _STEP)
        wanted = self._wants[second] if second < len(self._wants) else bounds.minimum
        return min(max(wanted, bounds.minimum), bounds.maximum)


def clairvoyant(given: Given, world: World) -> Policy:
    """It, as a contender; ``ahead`` is in median loads."""
    return Clairvoyant(
        world.scenario.scaled(given["minReplicas"]),
        world.requests,
        world.model,
        given["window"],
        given["use"],
        given["ahead"] * world.scenario.cold.median,
    )


def _most_within(need: Sequence[int], ahead: int) -> list[int]:
    """For each second the most of it and the next ``ahead``."""
    found, best = [0] * len(need), list[int]()  # places, their needs falling
    for place in range(len(need) - 1, -1, -1):
        while best and need[best[-1]] <= need[place]:
            best.pop()
        best.append(place)
        while best[0] > place + ahead:
            best.pop(0)
        found[place] = need[best[0]]
    return found
