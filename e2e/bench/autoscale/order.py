"""In which order units are done, and which scenarios can still be through in the time left. Pure.

Scenario by scenario, for only a whole one can be compared; the longest first, and so the units of
each, so that at the end nobody waits for a single long one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from e2e.bench.autoscale.contenders import CONTENDERS
from e2e.bench.autoscale.traces import TRACES

__all__ = ["Pace", "expected", "ordered"]

# Seconds of CPU of a unit judged with 8 seeds, without the traffic before what counts, and what
# some contenders take of others' time: measured on one machine; the run itself tells how fast its
# own is.
_SECONDS: Final = {
    "code": 6.0,
    "code x4": 24.0,
    "code together": 11.0,
    "diurnal": 21.0,
    "bursty": 18.0,
    "scarce": 16.0,
}
_TIMES: Final = {"escadre": 1.9, "escadre, fixed target": 1.4, "KPA": 1.5, "clairvoyant": 0.8}
_TUNED: Final = 38  # runs of a unit on the tuning half, on the mean
_JUDGED: Final = 2.5  # settings that are judged: at defaults, and tuned for two levels
_MEASURED: Final = 8


class Sized(Protocol):
    """A unit."""

    @property
    def scenario(self) -> str:
        """Its name."""
        ...

    @property
    def contender(self) -> str:
        """Its name."""
        ...

    @property
    def seeds(self) -> int:
        """To judge with."""
        ...


_Unit = TypeVar("_Unit", bound=Sized)


def expected(unit: Sized) -> float:
    """Seconds of CPU on the machine that the table is of."""
    trace = next(one for one in TRACES if one.name == unit.scenario.partition(",")[0])
    memory = next(one.memory for one in CONTENDERS if one.name == unit.contender)
    played = 1 + trace.warm(memory) / trace.seconds
    runs = (_TUNED + _JUDGED * unit.seeds) / (_TUNED + _JUDGED * _MEASURED)
    return _SECONDS[trace.name] * played * _TIMES.get(unit.contender, 1.0) * runs


def ordered(units: Iterable[_Unit]) -> list[list[_Unit]]:
    """By scenario."""
    groups: dict[str, list[_Unit]] = {}
    for one in units:
        groups.setdefault(one.scenario, []).append(one)
    found = [sorted(group, key=expected, reverse=True) for group in groups.values()]
    return sorted(found, key=lambda group: sum(map(expected, group)), reverse=True)


@dataclass(slots=True)
class Pace:
    """How fast ``jobs`` processes get on; ``done`` are expected seconds that are through."""

    jobs: int
    done: float = 0.0

    def through_at(self, elapsed: float, ahead: Sequence[float]) -> float:
        """When units of these expected seconds will be through, those under way among them."""
        if not ahead:
            return elapsed
        slower = elapsed * self.jobs / self.done if self.done else 1.0
        return elapsed + slower * max(sum(ahead) / self.jobs, *ahead)
