"""What the status of a ModelDeployment is made from: the facts of one pass. Pure data."""

from dataclasses import dataclass
from typing import NamedTuple

from escadre import reasons
from escadre.api.scalingstatus import ScalingStatus
from escadre.core.counting import count, share
from escadre.core.facts.model import ApprovedModel
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import ReplicaView, RolloutPlan
from escadre.core.scaling.history import Change
from escadre.core.scaling.policy import Decision
from escadre.core.scaling.step import Bounds
from escadre.core.status.engine import UNASKED, EngineSeen
from escadre.core.status.told import Told
from escadre.reasons import Reason
from escadre.reasons.said import Amount

__all__ = [
    "LeavingClaim",
    "MadeOf",
    "ReplicaLine",
    "StatusFacts",
    "answering",
    "count_of",
    "is_current",
    "serving_now",
    "share_of",
]


class MadeOf(NamedTuple):
    """What a replica was made from, by its own record; "" and None where nobody knows."""

    repository: str
    manifest_digest: str
    approval: str = ""
    revision: str = ""
    max_model_len: int | None = None
    layout: str = ""


class LeavingClaim(NamedTuple):
    """A claim that was deleted and is there still: no node takes a pod that mounts it.

    ``deleted`` is in seconds since the epoch; ``held_by`` are the finalizers that only others take
    off. Without any it is gone, and made anew, within seconds.
    """

    name: str
    deleted: float
    held_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplicaLine:
    """A replica for the status.

    ``hindered`` is what stands in its way beside what its engine says, None when nothing does;
    ``since`` is when its pod was made, in seconds since the epoch, None without one.
    ``claim`` is told of a replica without a node only.
    """

    name: str
    node: str
    view: ReplicaView
    message: str
    made_of: MadeOf | None = None
    gpus: int | None = None
    hindered: Reason | None = None
    since: float | None = None
    claim: LeavingClaim | None = None


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """Everything a status is made from.

    ``target`` is what one replica is to hold, None only without a layout. ``previous`` is the
    status as stored. ``patience`` is how many seconds a pod may wait for a node. ``bounds`` are
    those of now, None while the spec cannot be read. ``scaling`` is what the status tells of
    scaling, said again while there is no decision.
    """

    generation: int
    url: str
    approved: bool
    approval_reason: Reason
    approval_message: str
    model: ApprovedModel | None
    plan: DeploymentPlan | None
    target: int | None
    rollout: RolloutPlan
    replicas: tuple[ReplicaLine, ...]
    desired: int
    min_replicas: int
    decision: Decision | None
    changes: tuple[Change, ...]  # of the number of replicas, the newest last
    problem: tuple[Reason, str] | None  # and message, of a child that cannot be written
    unreachable: bool  # that child is the Service: nobody reaches the engines without it
    previous: Told
    now: str
    patience: float
    engine: EngineSeen = UNASKED
    bounds: Bounds | None = None
    scaling: ScalingStatus | None = None

    @property
    def unread(self) -> bool:
        """Whether the spec is one that cannot be read: of what it wishes nothing is known."""
        return self.approval_reason is reasons.INVALID_SPEC


def answering(facts: StatusFacts) -> list[ReplicaLine]:
    """Replicas that are ready and answer the Service."""
    return [one for one in facts.replicas if one.view.answers]


def is_current(facts: StatusFacts, one: ReplicaLine) -> bool:
    """Whether a replica is what the spec asks for; without a model nothing is known to be."""
    return one.view.current and facts.model is not None


def serving_now(facts: StatusFacts) -> tuple[int, int]:
    """Replicas that answer: all, and those on the current inputs."""
    ready = answering(facts)
    return len(ready), sum(is_current(facts, one) for one in ready)


def count_of(number: int) -> Amount:
    """That many replicas, in words."""
    return Amount(count(number, "replica"))


def share_of(number: int, whole: int) -> Amount:
    """That many of so many replicas, in words."""
    return Amount(share(number, whole, "replica"))
