"""A ModelDeployment and its children as they are, for the decision what to do to them. Pure data.

state/children.py builds it, core/replicas/children.py decides on it. Times are seconds since the
epoch.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import Hold, ReplicaView

__all__ = ["ChildrenFacts", "ClaimFacts", "Pace", "ReplicaState", "VolumeFacts"]


@dataclass(frozen=True, slots=True)
class ClaimFacts:
    """A volume claim. ``settled``: it was bound once; ``ours``: this deployment owns it.

    ``protected``: Kubernetes keeps it while a pod uses it, also when it was deleted.
    """

    name: str
    uid: str
    ours: bool
    settled: bool
    terminating: bool
    protected: bool = False


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """A volume. ``tied``: to one claim for good, which may be gone.

    ``named``: it names a deployment of this name as its owner; ``ours``: it is this one.
    """

    name: str
    uid: str
    named: bool
    ours: bool
    tied: bool
    terminating: bool


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """A replica beside what the rollout sees of it.

    ``node`` is where it is or is to be looked for; ``noted`` what its object says of that, "" for
    a node that does not exist. ``recorded``: its template is on the object as it was written;
    ``readable``: its record tells what it was made from. ``serving`` None: it has no pod.
    """

    view: ReplicaView
    name: str
    uid: str
    node: str
    noted: str
    bound: bool
    recorded: bool
    readable: bool
    layout_readable: bool
    serving: bool | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a replica may drain, and how often mere numbers are told."""

    drain_seconds: float
    status_seconds: float


@dataclass(frozen=True, slots=True)
class ChildrenFacts:
    """Everything that a pass over the children of one ModelDeployment sees.

    ``readable``: its spec can be read; ``housed``: its namespace is there and stays.
    ``model`` is what its approval describes, whether that holds or not; ``expires`` is when it
    ends to hold. ``claims`` and ``volumes`` are by name, those of the deployment and those that
    have the name of one. ``hold`` is what keeps its replicas behind the platform.
    ``leaving_since`` is when the deletion of its namespace began, 0 for never.
    """

    plan: DeploymentPlan
    readable: bool
    housed: bool
    approved: bool
    expires: float | None
    model: ApprovedModel | None
    replicas: tuple[ReplicaState, ...]
    claims: Mapping[str, ClaimFacts]
    volumes: Mapping[str, VolumeFacts]
    pace: Pace
    hold: Hold | None = None
    leaving_since: float = 0.0
