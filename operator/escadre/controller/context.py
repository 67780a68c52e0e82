"""What every reconcile is given: the API, the caches, the settings, the clock, the queue."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from escadre.clients.kube import Api
from escadre.controller.keys import FLEET, FLEET_DEBOUNCE, Add, Key
from escadre.machinery.events import EventRecorder
from escadre.machinery.queue import Priority
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.gather import Gather, Sight
from escadre.state.memory import Memory

__all__ = ["Context", "Engines", "ask_for_plan"]


async def _nobody(_: Key) -> None:
    """While no demand loop runs, no engine is read."""


@dataclass(slots=True)
class Engines:
    """``read_new`` reads the engines of a deployment that just became ready, if any did."""

    read_new: Callable[[Key], Awaitable[None]] = _nobody


@dataclass(frozen=True, slots=True)
class Context:
    """What a pass is given; it holds what was made of the caches as well.

    Args:
        now: the wall clock in seconds.
        wake: files a key.
        urgent: whether something waits or is worked on that somebody waits for.
    """

    api: Api
    caches: Caches
    memory: Memory
    settings: Settings
    recorder: EventRecorder
    now: Callable[[], float]
    wake: Add
    urgent: Callable[[], bool] = lambda: False
    engines: Engines = field(default_factory=Engines)
    gather: Gather = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gather", Gather(self.caches, self.memory, self.settings))

    def replan(self, delay: float | None = None) -> None:
        """Asks for a planning pass; however many ask, it is one, soon."""
        ask_for_plan(self.wake, self.memory, self.now(), delay)

    def sight(self) -> Sight:
        """Everything as it is now."""
        return self.gather.at(self.now())


def ask_for_plan(add: Add, memory: Memory, now: float, delay: float | None = None) -> None:
    """Files the planning pass, as what was begun or edited waits for it; see `Memory.rest`."""
    if delay is None:
        delay = memory.rest(now, FLEET_DEBOUNCE)
    add(FLEET, delay, Priority.BEGUN)
