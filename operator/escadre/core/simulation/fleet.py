"""A deployment in virtual time: its replicas, who of them takes a request, what became of them.

Which replicas go is core/replicas/victims.py's to say, and how many there are a `Policy`'s
(deciding.py); nothing of it is written again here. play.py has the clock. Pure: the same setting,
the same outcome.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from escadre.core.replicas.drain import Drain
from escadre.core.replicas.victims import choose_leaving
from escadre.core.scaling.demand import Demand
from escadre.core.simulation.deciding import Observation, Policy
from escadre.core.simulation.engine import Engine
from escadre.core.simulation.outcome import Moment, Outcome, Supply, answers_of, reversals
from escadre.core.simulation.pool import Pool
from escadre.core.simulation.replica import Request
from escadre.core.simulation.setting import Setting
from escadre.core.simulation.standing import Standing

__all__ = ["Fleet"]


@dataclass(slots=True)
class Fleet:
    """One deployment; ``place`` is its number among those that share the ``pool``."""

    setting: Setting
    policy: Policy
    pool: Pool = field(default_factory=Pool)
    place: int = 0
    refused: int = 0
    last_arrival: float = 0.0
    alive: list[Standing] = field(default_factory=list)
    gone: list[Standing] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    _loads: random.Random = field(init=False)
    _routes: random.Random = field(init=False)
    _scrapes: random.Random = field(init=False)
    _under_way: deque[tuple[float, list[tuple[Standing, Demand]]]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        seed = f"{self.setting.seed}" + (f" {self.place}" if self.place else "")
        self._loads = random.Random(f"{seed} loads")  # noqa: S311 - draws, not secrets
        self._routes = random.Random(f"{seed} routes")  # noqa: S311
        self._scrapes = random.Random(f"{seed} scrapes")  # noqa: S311

    @property
    def busy(self) -> bool:
        """Whether a request is not answered yet."""
        return any(one.engine.load for one in self.alive)

    def begin(self) -> None:
        """The minimum, or what the setting begins with, ready."""
        for _ in range(max(self.setting.scaled.bounds.minimum, self.setting.begin)):
            self._make(0.0, 0.0)

    def route(self, request: Request) -> None:
        """Gives it to a replica of the Service.

        There is one: of those that are ready choose_leaving keeps one as long as one is wanted.
        """
        self.last_arrival = request.at
        if not self.setting.model.takes(request):
            self.refused += request.at >= self.setting.counted_from
            return
        at = request.at
        taking = [one for one in self.alive if one.drain is None and one.ready_at <= at]
        if self.setting.routing == "random":
            chosen = self._routes.choice(taking)
        else:
            chosen = min([(one.engine.load_at(at), one.slot, one) for one in taking])[2]
        chosen.engine.advance(at)
        chosen.engine.submit(request)
        chosen.routed += 1

    def scrape(self, now: float) -> None:
        """What the policy will know of now, once the scrape has come to it."""
        lost = self.policy.sight.lost
        found = []
        for one in self.alive:
            demand = one.read(now)
            if demand is not None and not (lost and self._scrapes.random() < lost):
                found.append((one, demand))
        self._under_way.append((now + self.policy.sight.delay, found))

    def look(self, now: float) -> None:
        """Asks the policy."""
        while self._under_way and self._under_way[0][0] <= now:
            for one, demand in self._under_way.popleft()[1]:
                one.demand = demand
        told = self.numbers[-1] if self.numbers else None
        replicas = tuple(one.watched(now) for one in self.alive)
        seen = Observation(replicas, told, self.pool.contended_for(self.place))
        desired = self.policy.look(seen, now)
        if now < self.setting.counted_from:
            self.numbers = [desired]
        elif desired != told:
            self.numbers.append(desired)

    def carry_out(self, now: float) -> None:
        """One round: watches what drains, deletes what has drained, makes what is wanted."""
        desired = self.numbers[-1]
        if len(self.alive) != desired or any(one.drain is not None for one in self.alive):
            for one in self.alive:
                one.observe(now)
            self._leave(desired, now)
        while len(self.alive) < desired and self._make(now, None):
            pass
        if len(self.alive) >= desired:
            self.pool.served(self.place)
        self.moments.append(self._moment(now))

    def _moment(self, now: float) -> Moment:
        staying = [one for one in self.alive if one.drain is None]
        ready = sum(one.ready_at <= now for one in staying)
        return Moment(
            at=now,
            demand=sum(one.engine.load_at(now) for one in self.alive),
            wanted=self.numbers[-1],
            ready=ready,
            loading=len(staying) - ready,
            draining=len(self.alive) - len(staying),
        )

    def _make(self, now: float, load: float | None) -> bool:
        """One more; False while there are no GPUs for it. ``load`` None: as long as one takes."""
        if not self.pool.take(self.place, self.setting.model.gpus):
            return False
        seconds = self.setting.cold.draw(self._loads) if load is None else load
        taken = {one.slot for one in self.alive}
        slot = next(number for number in range(len(taken) + 1) if number not in taken)
        engine = Engine(self.setting.odd.get(slot, self.setting.model), now + seconds)
        self.alive.append(Standing(slot, engine, now, now + seconds, seconds > 0))
        return True

    def _leave(self, desired: int, now: float) -> None:
        leaving = choose_leaving([one.view for one in self.alive], desired)
        for one in self.alive:
            if one.slot not in leaving:
                one.drain = None
            elif one.may_go:
                one.gone_at = now
                self.pool.give(self.setting.model.gpus)
            elif one.drain is None:
                one.drain = Drain("ScaleDown", now)
        self.gone += [one for one in self.alive if one.gone_at is not None]
        self.alive = [one for one in self.alive if one.gone_at is None]

    def outcome(self) -> Outcome:
        """Of all that was played, until the last request had come and was answered."""
        engines = [one.engine for one in (*self.gone, *self.alive)]
        ends = [job.last_at for engine in engines for job in engine.ended]
        end = max([self.last_arrival, *ends])
        answers = answers_of(engines, self.refused, self.setting)
        since = self.setting.counted_from
        timeline = tuple(one for one in self.moments if since <= one.at <= end)
        return Outcome(answers, self._supply(end), timeline)

    def _supply(self, end: float) -> Supply:
        since = self.setting.counted_from
        every = [*self.gone, *self.alive]
        lives = [
            _between(since, one.gone_at or end, end) - _between(since, one.made_at, end)
            for one in every
        ]
        began = [one for one in every if one.load and one.made_at >= since]
        return Supply(
            seconds=end - since,
            gpu_seconds=self.setting.model.gpus * sum(lives),
            most_replicas=max(self.numbers, default=0),
            loads=len(began),
            wasted_loads=sum(one.gone_at is not None and not one.routed for one in began),
            unfinished_loads=sum(one.gone_at is None and not one.routed for one in began),
            changes=max(0, len(self.numbers) - 1),
            reversals=reversals(self.numbers),
        )


def _between(since: float, at: float, end: float) -> float:
    return max(since, min(at, end))
