"""A deployment in virtual time: requests in, the operator's own decisions, what came of them out.

The number of replicas is core/scaling/step.py's to say, and which of them go is
core/replicas/rollout.py's, with the readings of core/scaling/demand.py: nothing of it is written
again here. GPUs are there for as many replicas as are asked for, and each load succeeds. At the
beginning minReplicas are ready. cli/simulate asks. Pure: the same setting, the same outcome.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import ReplicaView, choose_leaving
from escadre.core.scaling.demand import Demand, Reading, read
from escadre.core.scaling.policy import Sample, ScaleState
from escadre.core.scaling.step import Scalable, step
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.outcome import Outcome, Supply, answers_of, reversals
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import Setting

__all__ = ["simulate"]


@dataclass(slots=True)
class _Replica:
    """One replica; times in seconds of the simulation. ``load``: it began in it."""

    slot: int
    engine: Engine
    made_at: float
    ready_at: float
    load: bool
    drain: Drain | None = None
    reading: Reading | None = None
    routed: int = 0
    gone_at: float | None = None

    def observe(self, now: float) -> None:
        """Reads what it runs and holds, as the operator reads its metrics."""
        self.engine.advance(now)
        if self.ready_at <= now:
            demand = Demand(len(self.engine.running), len(self.engine.waiting), now)
            self.reading = read(self.reading, demand, leaving=self.drain is not None)

    @property
    def sample(self) -> Sample:
        """What the scaling policy sees of it."""
        if self.drain is not None:
            return Sample(self.slot, "draining", None)
        if self.reading is None:
            return Sample(self.slot, "loading", None)
        return Sample(self.slot, "ready", self.reading.demand)

    @property
    def view(self) -> ReplicaView:
        """What the rollout sees of it."""
        if self.reading is None:
            return ReplicaView(self.slot, state="Loading", current=True)
        held = self.reading.demand.requests
        return ReplicaView(self.slot, state="Ready", current=True, drain=self.drain, in_flight=held)

    @property
    def may_go(self) -> bool:
        """Whether nothing is lost with it: it loads, or was drained and is quiet."""
        return self.reading is None or (self.drain is not None and self.reading.idle)


@dataclass(slots=True)
class _Fleet:
    setting: Setting
    loads: random.Random
    routes: random.Random
    state: ScaleState | None = None
    alive: list[_Replica] = field(default_factory=list)
    gone: list[_Replica] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def busy(self) -> bool:
        return any(one.engine.load for one in self.alive)

    def route(self, request: Request) -> None:
        """Gives it to a replica of the Service.

        There is one: of those that are ready choose_leaving keeps one as long as one is wanted.
        """
        taking = [one for one in self.alive if one.drain is None and one.ready_at <= request.at]
        if self.setting.routing == "random":
            chosen = self.routes.choice(taking)
        else:
            for one in taking:
                one.engine.advance(request.at)
            chosen = min(taking, key=lambda one: (one.engine.load, one.slot))
        chosen.engine.advance(request.at)
        chosen.engine.submit(request)
        chosen.routed += 1

    def look(self, now: float) -> None:
        """One round of the operator: read, decide, drain and delete, make."""
        for one in self.alive:
            one.observe(now)
        scaled = self.setting.scaled
        told = self.numbers[-1] if self.numbers else None
        seen = Scalable(scaled.bounds, True, scaled.target, told, len(self.alive))
        after = step(self.state, seen, [one.sample for one in self.alive], scaled.windows, now)
        self.state, desired = after.state, after.state.desired
        if desired != told:
            self.numbers.append(desired)
        self._leave(desired, now)
        while len(self.alive) < desired:
            self._make(now, self._load_seconds())

    def begin(self) -> None:
        """The minimum, ready."""
        for _ in range(self.setting.scaled.bounds.minimum):
            self._make(0.0, 0.0)

    def _make(self, now: float, load: float) -> None:
        taken = {one.slot for one in self.alive}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        engine = Engine(self.setting.model, now + load)
        self.alive.append(_Replica(slot, engine, now, now + load, load > 0))

    def _load_seconds(self) -> float:
        cold = self.setting.cold
        return cold.median * math.exp(self.loads.gauss(0.0, cold.spread))

    def _leave(self, desired: int, now: float) -> None:
        leaving = choose_leaving([one.view for one in self.alive], desired)
        for one in self.alive:
            if one.slot not in leaving:
                one.drain = None
            elif one.may_go:
                one.gone_at = now
            elif one.drain is None:
                one.drain = Drain("ScaleDown", now)
        self.gone += [one for one in self.alive if one.gone_at is not None]
        self.alive = [one for one in self.alive if one.gone_at is None]

    def supply(self, end: float) -> Supply:
        """What it took until ``end``."""
        every = [*self.gone, *self.alive]
        lives = [min(end, one.gone_at or end) - min(end, one.made_at) for one in every]
        return Supply(
            seconds=end,
            gpu_seconds=self.setting.model.gpus * sum(lives),
            most_replicas=max(self.numbers, default=0),
            loads=sum(one.load for one in every),
            wasted_loads=sum(one.load and not one.routed for one in self.gone),
            changes=max(0, len(self.numbers) - 1),
            reversals=reversals(self.numbers),
        )


def simulate(requests: Sequence[Request], setting: Setting) -> Outcome:
    """Plays requests, in order of their arrival, until the last is answered."""
    fleet = _Fleet(
        setting,
        random.Random(f"{setting.seed} loads"),  # noqa: S311 - draws, not secrets
        random.Random(f"{setting.seed} routes"),  # noqa: S311
    )
    taken = [one for one in requests if setting.model.takes(one)]
    fleet.begin()
    rounds = 0
    for request in taken:
        while rounds * setting.scaled.every <= request.at:
            fleet.look(rounds * setting.scaled.every)
            rounds += 1
        fleet.route(request)
    while fleet.busy:
        fleet.look(rounds * setting.scaled.every)
        rounds += 1
    engines = [one.engine for one in (*fleet.gone, *fleet.alive)]
    refused = len(requests) - len(taken)
    ends = [job.last_at for engine in engines for job in engine.ended]
    end = max(ends, default=0.0)
    return Outcome(answers_of(engines, refused, setting.objective), fleet.supply(end))
