"""What a decision about the number of replicas rests on, and what it says. Pure data.

core/scaling/policy.py decides, telling.py words it.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from escadre.core.scaling.capacity import Capacity, Mix
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.flow import Flow
from escadre.core.scaling.learning import Learned
from escadre.core.scaling.service import Service
from escadre.core.scaling.skew import Skew
from escadre.reasons import Reason
from escadre.reasons.said import Said

__all__ = [
    "Asked",
    "Decision",
    "LimitName",
    "Limits",
    "Raise",
    "Recommendation",
    "Sample",
    "SamplePhase",
    "ScaleState",
    "Seen",
    "Windows",
    "enough",
]

SamplePhase = Literal[
    "loading", "unread", "ready", "unscrapable", "stuck", "lost", "draining", "failing"
]

LimitName = Literal[
    "minReplicas",
    "schedule",
    "maxReplicas",
    "spareReplicas",
    "approval",
    "unknown",
    "stabilisation",
    "restart",
    "load",
    "redistribution",
    "bursts",
]

_EXACT: Final = 1e-9  # replicas: what arithmetic adds to a whole number
_NOTHING: Final = 1 / 120  # requests per second: less than half a request a minute


def enough(load: float) -> int:
    """Replicas for so many times what one of them serves."""
    return math.ceil(load - _EXACT)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What was wanted at a time (seconds since the epoch)."""

    at: float
    desired: int


@dataclass(frozen=True, slots=True)
class Raise:
    """The last time that demand asked for more: when, and what it was, in replicas' capacity."""

    at: float
    load: float


@dataclass(frozen=True, slots=True)
class ScaleState:
    """What the next decision rests on.

    ``history`` holds, oldest first, only recommendations above every later one: the others cannot
    be the most of any window. ``started_at`` is when observation began. ``cancelled_at`` is when
    a load was given up last, ``contended_at`` when another deployment was last seen to wait for
    GPUs. ``skewed_since`` is from when on one replica was full at every look while another had
    next to nothing. ``inherited`` are the replicas that another leader kept for bursts,
    ``inherited_even`` is how evenly it saw requests shared.
    """

    desired: int
    started_at: float
    history: tuple[Recommendation, ...] = ()
    flow: Flow | None = None
    raised: Raise | None = None
    cancelled_at: float | None = None
    contended_at: float | None = None
    learned: Learned | None = None
    skewed_since: float | None = None
    inherited: int = 0
    inherited_even: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One replica, and what was read of it; None when it never was.

    ``unread``: ready, and nobody tried to read it yet. ``unscrapable``: ready, and what was read
    is missing or old. ``stuck``: it has work and nothing of it moves; no supply, and what it holds
    waits for another replica. ``lost``: an engine that hangs and is on its way out, beside the
    replica that is made in its place; who waits there comes back. ``since``: when its load began,
    None where that is not known. ``alike``: it is of the kind that `Limits.service` tells of.
    """

    slot: int
    phase: SamplePhase
    demand: Demand | None = None
    since: float | None = None
    alike: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which numbers of replicas to choose, and what one of them holds.

    Args:
        target: requests of one replica; counts where ``service`` is None.
        service: what is known of a replica; its capacity follows from it and from the traffic.
        spare: replicas beyond what demand asks for, within the bounds.
        contended: whether another deployment waits for GPUs.
        window: the number of the schedule that the minimum comes from.
    """

    minimum: int
    maximum: int
    target: int
    may_grow: bool = True
    service: Service | None = None
    spare: int = 0
    contended: bool = False
    window: int | None = None

    def clamp(self, number: int) -> int:
        """The number of replicas within the bounds; the minimum wins."""
        return max(min(number, self.maximum), self.minimum)


@dataclass(frozen=True, slots=True)
class Windows:
    """How long less must have been wanted before it counts, and how old a reading may be."""

    stabilization_seconds: float
    stale_seconds: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the demand, and the ready slots of which nothing is.

    ``whole``: nothing that is ready is unknown, for whatever cause. ``fullest``: the most requests
    that one replica has. ``stuck`` are slots that have work and do none.
    """

    running: int
    waiting: int
    fullest: int
    missing: tuple[int, ...]
    readings: tuple[tuple[int, Demand], ...]
    serving: bool
    whole: bool
    stuck: tuple[int, ...] = ()

    @property
    def demand(self) -> int:
        """Requests that are known of."""
        return self.running + self.waiting

    @property
    def old_names(self) -> tuple[str, ...]:
        """Metrics that some engine tells only under a name that vLLM has given up."""
        return tuple(sorted({name for _, one in self.readings for name in one.old_names}))

    def age(self, now: float) -> float | None:
        """Seconds since the oldest reading that counts; None without any."""
        return max((now - (one.at or now) for _, one in self.readings), default=None)


@dataclass(frozen=True, slots=True)
class Asked:
    """How many replicas demand asks for: below ``up`` are too few, above ``down`` too many.

    Args:
        load: the demand over one replica's capacity.
        rate: requests per second that are reckoned with, None where only those in the engines are.
        mix: tokens of a mean request.
        capacity: None where a target is fixed.
        learned: whether it is another than the prior's, by what was measured.
        kept: replicas to keep for bursts that are over before a load is (core/scaling/past.py).
        even: how evenly requests are shared (core/scaling/sharing.py), from 0 to 1.
    """

    up: int
    down: int
    load: float
    rate: float | None = None
    mix: Mix | None = None
    capacity: Capacity | None = None
    learned: bool = False
    kept: int = 0
    even: float = 0.0

    @property
    def followed(self) -> int:
        """Replicas that the demand of late asks for, without those that are kept."""
        return enough(self.load)

    @property
    def still(self) -> bool:
        """Whether nothing arrives; what is left of a mean that fades is nothing too."""
        return self.rate is not None and self.rate < _NOTHING

    def of(self, number: int) -> int:
        """What becomes of so many."""
        return max(self.up, min(number, self.down))


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of replicas, the demand it rests on, and why.

    Args:
        age: seconds since the oldest reading that counts, None without any.
        asked: what the demand asks for, before any limit.
        limits: those that made it another number.
        fullest: the most requests that one replica has.
        next_change_at: when fewer would be possible at the earliest, if less is wanted; else None.
        skew: one replica that is full while another has next to nothing, once that lasts.
        old_names: of metrics, see `Seen`.
    """

    state: ScaleState
    known: Demand
    reason: Reason
    message: Said
    changed: bool
    age: float | None = None
    asked: Asked | None = None
    limits: tuple[LimitName, ...] = ()
    next_change_at: float | None = None
    fullest: int | None = None
    skew: Skew | None = None
    old_names: tuple[str, ...] = ()

    @property
    def desired(self) -> int:
        """The number of replicas."""
        return self.state.desired

    @property
    def demand(self) -> int:
        """Requests that are known of."""
        return self.known.requests or 0
