"""One step of scaling a ModelDeployment: from what is seen of it to the number of its replicas.

Two ask. The fleet pass asks `desired` for the number to plan, which follows new bounds at once and
changes nothing. The demand loop is the owner of the state: it calls `step` every few seconds and
keeps what comes back. Both begin from the same `seed`. Pure: the clock and the scrapes are outside.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from escadre.api.scaling import Scaling
from escadre.core.scaling.learning import Learned
from escadre.core.scaling.policy import (
    Decision,
    Limits,
    Sample,
    ScaleState,
    Windows,
    decide,
    start,
)
from escadre.core.scaling.schedule import floor_at, windows_of
from escadre.core.scaling.service import Service
from escadre.core.scaling.target import requests_of

__all__ = ["Bounds", "Move", "Scalable", "Step", "desired", "seed", "step"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The numbers of replicas that the spec allows now.

    ``window`` is the number of the schedule that ``minimum`` comes from, None for minReplicas;
    ``changes_at`` is when ``minimum`` will be another by itself, None for not soon.
    """

    minimum: int
    maximum: int
    window: int | None = None
    changes_at: float | None = None

    @staticmethod
    def of(scaling: Scaling, now: float) -> "Bounds":
        """Those of a spec at ``now``, in seconds since the epoch."""
        floor = floor_at(windows_of(scaling.schedules), scaling.min_replicas, now)
        return Bounds(floor.minimum, scaling.max_replicas, floor.window, floor.changes_at)


@dataclass(frozen=True, slots=True)
class Scalable:
    """What scaling sees of a ModelDeployment beside its demand.

    ``bounds`` is None while the spec cannot be read. ``target`` is what one replica is to hold,
    None while neither spec nor layout tells. ``told`` is the number its status tells, None before
    the first. ``staying`` counts the replicas that exist and are not being scaled away.
    ``service`` says what one replica does, None where that is unknown or the target is fixed.
    ``contended``: another deployment waits for GPUs. ``learned``: of others of its kind. ``kept``:
    replicas that its status tells are kept for bursts; ``even``: as it tells of requests.
    """

    bounds: Bounds | None
    approved: bool
    target: int | None
    told: int | None
    staying: int
    service: Service | None = None
    spare: int = 0
    contended: bool = False
    learned: Learned | None = None
    kept: int = 0
    even: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    """A change of the number of replicas that is worth telling of."""

    was: int
    to: int
    target: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class Step:
    """The state to keep, why (None while nothing can be decided), and what to tell."""

    state: ScaleState
    decision: Decision | None
    move: Move | None = None


def seed(seen: Scalable, now: float) -> ScaleState:
    """Where a deployment begins that this process has not scaled before.

    What runs stays, and so does what was promised in the status. A new one that may run has its
    minimum at once, not only after a plan without replicas; what is spare follows once that serves,
    so that nothing waits for spare replicas that have no GPUs.
    """
    least = 0
    if seen.told is None and seen.approved and seen.bounds is not None:
        least = seen.bounds.minimum
    return start(max(seen.staying, seen.told or 0, least), now, seen.kept, seen.even)


def desired(state: ScaleState, seen: Scalable) -> int:
    """The number to plan for: the last decision within the bounds of now."""
    if seen.bounds is None:
        return state.desired
    within = _limits(seen.bounds, seen).clamp(state.desired)
    return within if _may_grow(seen) else min(within, state.desired)


def step(
    state: ScaleState | None,
    seen: Scalable,
    samples: Iterable[Sample],
    windows: Windows,
    now: float,
) -> Step:
    """The next number of replicas; ``state`` is that of the last step, None for the first."""
    before = _knowing(state or seed(seen, now), seen)
    if seen.bounds is None:
        return Step(before, None)
    limits = _limits(seen.bounds, seen)
    decision = decide(before, samples, limits, windows, now)
    # The first number of a new deployment is no change to tell of.
    told = decision.changed and seen.told is not None
    target = requests_of(decision, limits.target)
    move = Move(before.desired, decision.desired, target, decision)
    return Step(decision.state, decision, move if told else None)


def _knowing(state: ScaleState, seen: Scalable) -> ScaleState:
    """With what was learned of such replicas; of others nothing is taken over."""
    service = seen.service
    if service is None or (state.learned is not None and state.learned.key == service.key):
        return state
    learned = seen.learned
    known = learned if learned is not None and learned.key == service.key else Learned(service.key)
    return replace(state, learned=known)


def _limits(bounds: Bounds, seen: Scalable) -> Limits:
    most = max(bounds.minimum, bounds.maximum)
    return Limits(
        minimum=bounds.minimum,
        maximum=most,
        target=seen.target or 1,
        may_grow=_may_grow(seen),
        service=seen.service,
        spare=seen.spare,
        contended=seen.contended,
        window=bounds.window,
    )


def _may_grow(seen: Scalable) -> bool:
    """Without a layout nothing tells what a replica holds: no demand justifies another."""
    return seen.approved and seen.target is not None
