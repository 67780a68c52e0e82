"""The work of the benchmark in units, one contender on one scenario each, on a few processes.

Each unit is a file under build/bench/autoscale/ once it is done; a run that was ended goes on where
it was. A scenario is begun only if all of it can be through in the time left, and then it is ended,
so that none is compared by halves.
"""

import json
import multiprocessing
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from e2e.bench.autoscale.contender import Contender
from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.digests import digest_of
from e2e.bench.autoscale.order import Pace, expected, ordered
from e2e.bench.autoscale.scenarios import Scenario, cells, trials
from e2e.bench.autoscale.tuning import further, measure
from e2e.bench.numbers import BENCH_FOLDER

__all__ = ["FOLDER", "Unit", "Work", "known", "workers"]

FOLDER: Final = BENCH_FOLDER / "autoscale"


@dataclass(frozen=True, slots=True)
class Unit:
    """``scenario`` and ``contender`` by name; ``seeds`` to judge with."""

    scenario: str
    contender: str
    seeds: int

    @property
    def path(self) -> Path:
        """Where its result is."""
        name = re.sub(r"[^a-z0-9.]+", "-", f"{self.scenario} {self.contender}".lower())
        return FOLDER / f"{name}.json"

    def result(self) -> dict[str, Any] | None:
        """What was found, if it is of as many seeds and of this code."""
        found = self._known()
        return found if found is not None and found["seeds"] == self.seeds else None

    def _known(self) -> dict[str, Any] | None:
        """What was found with any number of seeds, if it is of this code."""
        if not self.path.exists():
            return None
        found: dict[str, Any] = json.loads(self.path.read_text())
        digest = digest_of(_by_name(CONTENDERS, self.contender))
        return found if found.get("digest") == digest else None

    def run(self) -> float:
        """Measures and keeps it; returns seconds of CPU. What was judged with fewer goes on."""
        begin = time.process_time()
        contender = _by_name(CONTENDERS, self.contender)
        scenario = _by_name((*cells(), *trials()), self.scenario)
        known, spent = self._known(), 0.0
        if known is not None and known["seeds"] < self.seeds:
            found, spent = further(scenario, contender, known, self.seeds), known["cpuSeconds"]
        else:
            found = measure(scenario, contender, self.seeds)
        found |= {"seeds": self.seeds, "digest": digest_of(contender)}
        found["cpuSeconds"] = round(spent + time.process_time() - begin, 1)
        FOLDER.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1) + "\n")
        part.replace(self.path)
        return float(found["cpuSeconds"])


def workers(jobs: int) -> ProcessPoolExecutor:
    """So many processes, which end with this one however it ends."""
    return ProcessPoolExecutor(jobs, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for more work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _by_name(every: Iterable[Any], name: str) -> Any:
    return next(one for one in every if one.name == name)


def known(
    scenarios: Sequence[Scenario], contenders: Sequence[Contender], seeds: int
) -> Iterator[dict[str, Any]]:
    """The results that there are."""
    for scenario in scenarios:
        for contender in contenders:
            found = Unit(scenario.name, contender.name, seeds).result()
            if found is not None:
                yield found


@dataclass(slots=True)
class Work:
    """Does what is not done yet, within so many seconds of ``clock``.

    ``late`` are the units of scenarios that were not begun, ``failed`` those that raised an error.
    """

    pool: Executor
    jobs: int
    seconds: float
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    late: list[Unit] = field(default_factory=list)
    failed: dict[Unit, str] = field(default_factory=dict)
    _begin: float = 0.0
    _pace: Pace = field(init=False)
    _groups: list[list[Unit]] = field(default_factory=list)
    _queue: deque[Unit] = field(default_factory=deque)
    _running: dict[Future[float], Unit] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pace = Pace(self.jobs)

    def through(self, units: Sequence[Unit]) -> None:
        """All of them, as far as time goes."""
        missing = [unit for unit in units if unit.result() is None]
        self.say(f"{len(units)} units, {len(units) - len(missing)} of them done before")
        self._begin, self._groups = self.clock(), ordered(missing)
        done = 0
        while self._filled():
            ended = next(as_completed(self._running))
            unit, done = self._running.pop(ended), done + 1
            self._pace.done += expected(unit)
            told = self._told(unit, ended)
            self.say(f"{done}/{len(missing)} {told}; about {self._left() / 60:.0f} min left")
        self.late = [unit for group in self._groups for unit in group]

    def _filled(self) -> bool:
        """Gives all processes something to do; False when there is nothing any more."""
        while len(self._running) < self.jobs and self._more():
            unit = self._queue.popleft()
            self._running[self.pool.submit(unit.run)] = unit
        return bool(self._running)

    def _more(self) -> bool:
        """Whether a unit is next, of a scenario that was begun or that can be through in time."""
        place = 0
        while not self._queue and place < len(self._groups):
            if self._through_at(self._groups[place]) <= self.seconds:
                self._queue.extend(self._groups.pop(place))
            place += 1
        return bool(self._queue)

    def _through_at(self, further: Iterable[Unit]) -> float:
        ahead = [expected(one) for one in (*self._running.values(), *self._queue, *further)]
        return self._pace.through_at(self._elapsed, ahead)

    def _left(self) -> float:
        rest = (one for group in self._groups for one in group)
        return max(0.0, self._through_at(rest) - self._elapsed)

    @property
    def _elapsed(self) -> float:
        return self.clock() - self._begin

    def _told(self, unit: Unit, ended: Future[float]) -> str:
        name, error = f"{unit.scenario}: {unit.contender}", ended.exception()
        if error is None:
            return f"{name}, {ended.result():.0f} s of CPU"
        self.failed[unit] = str(error)
        return f"{name} failed: {error}"
