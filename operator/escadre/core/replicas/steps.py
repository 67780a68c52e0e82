"""What one pass does to the children of a ModelDeployment: records, each with its verb and why.

core/replicas/children.py decides them, controller/execute.py does what they say and nothing else.
A step names its child by what it is, a digest or a slot; how the object looks is render's. Data.
"""

from dataclasses import dataclass
from typing import Final, Literal

from escadre.api.deployment import Layout
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import RolloutPlan
from escadre.reasons import Reason

__all__ = [
    "WORKLOAD_KIND",
    "Child",
    "ChildKind",
    "Claim",
    "Damaged",
    "Existing",
    "Front",
    "Kept",
    "Made",
    "Pod",
    "Problem",
    "Released",
    "Step",
    "Steps",
    "Volume",
]

FrontKind = Literal["Service", "NetworkPolicy", "PodDisruptionBudget"]
ChildKind = FrontKind | Literal["Deployment", "PersistentVolume", "PersistentVolumeClaim"]
WORKLOAD_KIND: Final = "Deployment"  # of the object that runs a replica, see render/workload.py


@dataclass(frozen=True, slots=True)
class Front:
    """What stands before the replicas, once for a deployment."""

    kind: FrontKind


@dataclass(frozen=True, slots=True)
class Volume:
    """The gate of the weights. ``claim_uid``: it must be tied to this live claim again."""

    digest: str
    claim_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What the pods mount."""

    digest: str


@dataclass(frozen=True, slots=True)
class Made:
    """A replica's workload on today's inputs: new, or in the place of an outdated one."""

    slot: int
    node: str | None
    layout: Layout
    digest: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A replica's workload as it was made; only what lies outside its template may change.

    ``node`` is noted as where to look for it. ``template`` is the recorded one, or, where that is
    lost, rendered again from what the replica was made from.
    """

    slot: int
    node: str
    drain: Drain | None
    template: Literal["recorded", "rendered"]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A replica's workload that cannot be written as a whole: only its drain is noted."""

    slot: int
    drain: Drain | None


@dataclass(frozen=True, slots=True)
class Pod:
    """A replica's pod: in the Service, or out of it. Its workload does not notice."""

    slot: int
    serving: bool


@dataclass(frozen=True, slots=True)
class Existing:
    """An object that is there and has to go; ``version``: only as it was seen in that one."""

    kind: ChildKind
    namespace: str
    name: str
    uid: str
    slot: int | None = None  # of a replica
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A claim that somebody deleted while pods use it: let go, so that it can be made anew.

    What is mounted stays mounted; kept, it would serve the pods of today and no new one, for ever.
    """

    name: str
    uid: str


Child = Front | Volume | Claim | Made | Kept | Damaged | Pod | Existing | Released


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``follows``: only when the step before it could be done."""

    verb: Literal["Apply", "Note", "Label", "Delete", "Release"]
    child: Child
    why: str
    follows: bool = False

    @property
    def slot(self) -> int | None:
        """The replica that it is about, None when it is about no single one."""
        match self.child:
            case Front() | Volume() | Claim() | Released():
                return None
            case child:
                return child.slot


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a child cannot be written now."""

    reason: Reason
    message: str
    kind: str = ""  # of a child that is missing because of it

    @property
    def blocks_serving(self) -> bool:
        """Whether it keeps requests from the engines: there is no Service of ours."""
        return self.kind == "Service"


@dataclass(frozen=True, slots=True)
class Steps:
    """Everything that one pass does to the children, in this order.

    ``rollout`` says what becomes of each replica and what waits; ``problem`` why nothing is done.
    ``again`` is in how many seconds time alone changes the answer, None for never.
    """

    rollout: RolloutPlan
    steps: tuple[Step, ...] = ()
    problem: Problem | None = None
    again: float | None = None
