"""The work of the benchmark in units, one contender on one scenario each, on a few processes.

Each unit is a file under build/bench/autoscale/ once it is done; a run that was ended goes on where
it was. A unit of this build's policy is made anew when core/scaling is another.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.bench.autoscale.contenders import CONTENDERS, Contender
from e2e.bench.autoscale.scenarios import Scenario, cells, trials
from e2e.bench.autoscale.tuning import measure
from e2e.bench.numbers import BENCH_FOLDER
from e2e.cluster.config import REPOSITORY

__all__ = ["FOLDER", "Unit", "known", "work_through"]

FOLDER: Final = BENCH_FOLDER / "autoscale"
_POLICY: Final = REPOSITORY / "operator" / "escadre" / "core" / "scaling"


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
        """What was found, if it is of as many seeds and of this policy."""
        if not self.path.exists():
            return None
        found: dict[str, Any] = json.loads(self.path.read_text())
        same = found["seeds"] == self.seeds and found["policy"] in {"", _policy()}
        return found if same else None

    def run(self) -> float:
        """Measures and keeps it; returns seconds of CPU."""
        begin = time.process_time()
        contender = _by_name(CONTENDERS, self.contender)
        scenario = _by_name((*cells(), *trials()), self.scenario)
        found = measure(scenario, contender, self.seeds)
        learns = contender.kind == "ours" and contender.name != "0.1.0"
        found |= {"seeds": self.seeds, "policy": _policy() if learns else ""}
        found["cpuSeconds"] = round(time.process_time() - begin, 1)
        FOLDER.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(found, indent=1) + "\n")
        part.replace(self.path)
        return float(found["cpuSeconds"])


def _by_name(every: Iterable[Any], name: str) -> Any:
    return next(one for one in every if one.name == name)


def _policy() -> str:
    """A digest of the policy's code."""
    digest = hashlib.sha256()
    for path in sorted(_POLICY.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def known(
    scenarios: Sequence[Scenario], contenders: Sequence[Contender], seeds: int
) -> Iterator[dict[str, Any]]:
    """The results that there are."""
    for scenario in scenarios:
        for contender in contenders:
            found = Unit(scenario.name, contender.name, seeds).result()
            if found is not None:
                yield found


def work_through(
    units: Sequence[Unit], jobs: int, deadline: float, say: Callable[[str], None]
) -> int:
    """Does what is not done yet; returns how many were left at the deadline (monotonic seconds)."""
    missing = [unit for unit in units if unit.result() is None]
    say(f"{len(units)} units, {len(units) - len(missing)} of them done before")
    waiting, done, begin = list(missing), 0, time.monotonic()
    with ProcessPoolExecutor(jobs) as pool:
        running: dict[Future[float], Unit] = {}
        while waiting or running:
            while waiting and len(running) < jobs and time.monotonic() < deadline:
                unit = waiting.pop(0)
                running[pool.submit(unit.run)] = unit
            if not running:
                break
            ended = next(as_completed(running))
            unit, done = running.pop(ended), done + 1
            pace = (time.monotonic() - begin) / done
            say(
                f"{done}/{len(missing)} {unit.scenario}: {unit.contender}, "
                f"{ended.result():.0f} s of CPU; about {pace * len(waiting) / 60:.0f} min left"
            )
    return len(waiting)
