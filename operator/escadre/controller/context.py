"""What every reconcile is given: the API, the caches, the settings, the clock, the queue."""

from collections.abc import Callable
from dataclasses import dataclass, field

from escadre.clients.kube import Api
from escadre.controller.keys import Key
from escadre.core.approvals.verdict import PolicyState
from escadre.core.replicas.inputs import platform_text
from escadre.machinery.events import EventRecorder
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.judge import policy_state
from escadre.state.memory import Memory

__all__ = ["Context"]


@dataclass(frozen=True, slots=True)
class Context:
    """``now`` is the wall clock in seconds; ``wake`` puts a key on the queue after some seconds."""

    api: Api
    caches: Caches
    memory: Memory
    settings: Settings
    recorder: EventRecorder
    now: Callable[[], float]
    wake: Callable[[Key, float], None]
    platform: str = field(init=False)  # the engine settings as replicas record them

    def __post_init__(self) -> None:
        object.__setattr__(self, "platform", platform_text(self.settings.engine))

    def policies(self) -> PolicyState:
        """Whether the admission policies are live and the chart's."""
        return policy_state(self.caches, self.settings.policies, self.memory.compared)
