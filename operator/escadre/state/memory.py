"""What the leader remembers between passes. All of it can be lost: it is seen or learnt again."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from escadre.api.gpunode import MirrorSource
from escadre.api.probe import MirrorProbe
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, Remembered
from escadre.core.replicas.order import Order
from escadre.core.scaling.demand import Reading
from escadre.core.scaling.history import Change
from escadre.core.scaling.keeping import telling
from escadre.core.scaling.learning import Learned
from escadre.core.scaling.policy import Decision, ScaleState
from escadre.core.scaling.progress import Hung
from escadre.machinery.matched import Matched

__all__ = ["Memory", "Probing", "Scaled", "Written"]

_REST_OVER_PLANNING: Final = 19  # planning takes a twentieth of the time
_LONGEST_REST: Final = 5.0
_KINDS: Final = 1000  # a kilobyte each


@dataclass(frozen=True, slots=True)
class Scaled:
    """What scaling decided last for a deployment; written by the demand loop alone."""

    state: ScaleState
    decision: Decision | None
    changes: tuple[Change, ...] = ()  # the newest last


@dataclass(frozen=True, slots=True)
class Written:
    """When a status was written last (seconds since the epoch), what it said, in which version."""

    at: float
    essence: bytes | None
    version: str = ""


class Probing(NamedTuple):
    """Which node is to ask a mirror a little, for what, and how to connect to it."""

    node: str
    probe: MirrorProbe
    source: MirrorSource


@dataclass(slots=True)
class Memory:
    """See the module."""

    plan: FleetPlan | None = None
    last_pass: Remembered | None = None  # that made the plan; the next one begins with it
    planned: float = 0.0  # when the last planning pass ended, seconds since the epoch
    planning: float = 0.0  # how long it took
    order: Order = field(default_factory=Order)
    scaled: dict[str, Scaled] = field(default_factory=dict)  # by uid of the deployment
    learned: dict[str, Learned] = field(default_factory=dict)  # by kind of replica; `note_learned`
    readings: dict[str, Reading] = field(default_factory=dict)  # by pod uid
    hung: dict[str, Hung] = field(default_factory=dict)  # by pod uid
    versions: dict[str, str] = field(default_factory=dict)  # of engines, by pod uid
    status_written: dict[str, Written] = field(default_factory=dict)  # by object uid
    unsaid: dict[str, float] = field(default_factory=dict)  # by uid: since when it waits
    told: dict[str, Any] = field(default_factory=dict)  # by object uid: what events told last
    probing: dict[str, Probing] = field(default_factory=dict)  # by name of the mirror
    failing: set[str] = field(default_factory=set)  # mirrors from which pulls fail
    matched: Matched = field(default_factory=Matched)  # children that were as intended

    def plan_of(self, key: DeploymentKey) -> DeploymentPlan | None:
        """The last plan of a deployment."""
        return self.plan.deployments.get(key) if self.plan else None

    def rest(self, now: float, least: float = 0.0) -> float:
        """How long not to plan again for what no edit waits for: nineteen times what it took."""
        left = self._left(_REST_OVER_PLANNING * self.planning, now)
        return max(least, min(left, _LONGEST_REST))

    def rest_of_edits(self, now: float, longest: float) -> float:
        """How long an edit waits for its plan: as long as the last one took, or the longest."""
        return self._left(min(self.planning, longest), now)

    def _left(self, rest: float, now: float) -> float:
        """Of a rest after the last plan; no more than all of it where the clock was set back."""
        return min(max(self.planned + rest - now, 0.0), rest)

    def note_learned(self, learned: Learned) -> None:
        """Keeps what was learned of replicas of a kind, for others of it and for its return.

        An edit or a new engine makes another kind, so there are ever more: of a thousand, the one
        that was met longest ago is forgotten. What has something to tell is not lost to what has
        not yet.
        """
        known = self.learned.pop(learned.key, None)
        self.learned[learned.key] = telling(learned, known) or learned
        if len(self.learned) > _KINDS:
            del self.learned[next(iter(self.learned))]

    def keep_only(self, uids: set[str]) -> None:
        """Drops what belongs to objects that are gone."""
        for known in (self.status_written, self.unsaid, self.told, self.scaled):
            for uid in known.keys() - uids:
                known.pop(uid, None)
        self.matched.keep_only(uids)
