"""What the agent knows at one moment, frozen: made by agent/agent.py, read by the report.

There is none before GPUs and store were looked at: until then the report of the agent before this
one stands. Its word counts while its pod is replaced, and what is not known yet must not take it
back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from escadre.agent.gpus.inventory import Inventory
from escadre.agent.pull.choose import FailedPull
from escadre.agent.pull.meter import Reading
from escadre.agent.store.records import ModelRecord
from escadre.agent.store.store import Space
from escadre.agent.wish import Wish
from escadre.api.probe import MirrorProbe, ProbedMirror
from escadre.errors import Refusal

__all__ = ["RunningPull", "StoreView", "View"]


@dataclass(frozen=True, slots=True)
class RunningPull:
    """The pull under way."""

    wish: Wish
    reading: Reading


@dataclass(frozen=True, slots=True)
class StoreView:
    """The store as it was last looked at."""

    id: str
    space: Space
    verified: Mapping[str, ModelRecord]


@dataclass(frozen=True, slots=True)
class View:
    """All of it; a Refusal stands where something could not be read.

    Args:
        wishes: what the operator wants here.
        since: when each digest was first wanted.
        inventory: the GPUs.
        store: the store.
        running: the pull under way.
        failures: of the last tries, by digest.
        asked: mirrors that this node is to probe.
        found: what it found of them, by mirror.
    """

    wishes: tuple[Wish, ...]
    since: Mapping[str, str]
    inventory: Inventory | Refusal
    store: StoreView | Refusal
    running: RunningPull | None
    failures: Mapping[str, FailedPull]
    asked: tuple[MirrorProbe, ...] = ()
    found: Mapping[str, ProbedMirror] = field(default_factory=dict)
