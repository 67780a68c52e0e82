"""What scaling sees of a ModelDeployment, from the caches and from what is remembered. No I/O.

The fleet pass and the status ask for the desired number; the demand loop makes its step from the
same facts. Nothing here writes: the loop alone keeps what a step returns.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from escadre.api.deployment import Layout
from escadre.core.scaling.decision import SamplePhase
from escadre.core.scaling.demand import Reading
from escadre.core.scaling.policy import Sample, ScaleState, Windows
from escadre.core.scaling.progress import Hung, Patience, phase_read, prompt_seconds
from escadre.core.scaling.service import Service
from escadre.core.scaling.step import Bounds, Scalable, desired, seed
from escadre.core.scaling.target import target_queue_depth
from escadre.settings import ScalingSettings
from escadre.state.judge import DeploymentApproval
from escadre.state.observe import Observed
from escadre.state.service import kind_of
from escadre.state.views import DeploymentView, PodView

__all__ = ["desired_replicas", "lost_of", "patience_with", "samples_of", "scalable", "windows_of"]


def scalable(
    view: DeploymentView,
    approval: DeploymentApproval,
    layout: Layout | None,
    observed: Sequence[Observed],
    now: float,
) -> Scalable:
    """What the number to plan follows from; ``layout`` is the planned one, if there is any.

    What a replica does is left out: only a decision needs it, and `Sight.scalable` adds it.
    """
    scaling = view.spec.scaling if view.spec else None
    return Scalable(
        bounds=Bounds.of(scaling, now) if scaling else None,
        approved=approval.approved,
        target=target_queue_depth(scaling.target_queue_depth if scaling else None, layout),
        told=view.told.desired,
        staying=sum(not _leaves(one) for one in observed),
        spare=(scaling.spare_replicas or 0) if scaling else 0,
        kept=view.told.kept,
        even=view.told.shared / 100,
    )


def desired_replicas(state: ScaleState | None, seen: Scalable, now: float) -> int:
    """How many replicas to plan; new bounds apply at once."""
    return desired(state or seed(seen, now), seen)


def windows_of(settings: ScalingSettings) -> Windows:
    """The platform's times of scaling."""
    return Windows(settings.down_stabilization_seconds, settings.stale_seconds)


def patience_with(
    layout: Layout | None, service: Service | None, settings: ScalingSettings
) -> Patience:
    """How long an engine in this layout may stand still, and its metrics be old.

    ``service`` is what scaling is told of such a replica.
    """
    speed = service.prior.speed.prefill_tokens_per_second if service else None
    longest = prompt_seconds(layout.max_model_len, speed) if layout else math.inf
    return Patience.of(settings.stale_seconds, longest)


def samples_of(
    observed: Iterable[Observed],
    readings: Mapping[str, Reading],
    service: Service | None,
    settings: ScalingSettings,
    now: float,
) -> list[Sample]:
    """One for each replica, with what was read of its pod; ``service`` as scaling is told."""
    return [_sample(one, readings, service, settings, now) for one in observed]


def lost_of(
    observed: Iterable[Observed], pods: Iterable[PodView], hung: Mapping[str, Hung]
) -> list[Sample]:
    """Engines that hang and leave, beside the replicas; ``pods`` are those of the deployment.

    Their replica may be another pod by now, or gone. Who waits on one is told so when it ends, and
    asks again: were it not counted until then, the number would go down and up again.
    """
    if not hung:
        return []
    stay = {one.pod.uid for one in observed if one.pod and one.hung and not _is_leaving(one)}
    return [
        Sample(pod.slot or 0, "lost", hung[pod.uid].held, alike=False)
        for pod in pods
        if pod.uid in hung and pod.uid not in stay
    ]


def _is_leaving(one: Observed) -> bool:
    return one.view.drain is not None or one.view.terminating


def _leaves(one: Observed) -> bool:
    drain = one.view.drain
    return drain is not None and drain.cause == "ScaleDown"


def _sample(
    one: Observed,
    readings: Mapping[str, Reading],
    service: Service | None,
    settings: ScalingSettings,
    now: float,
) -> Sample:
    reading = readings.get(one.pod.uid) if one.pod else None
    phase: SamplePhase
    if _is_leaving(one):
        phase = "draining"
    elif one.hung is not None:
        phase = "stuck"
    elif one.view.state == "Ready":
        phase = phase_read(reading, patience_with(one.record.layout, service, settings), now)
    else:
        phase = "failing" if one.view.state == "Failing" else "loading"
    return Sample(
        slot=one.view.slot,
        phase=phase,
        demand=reading.demand if reading else None,
        since=one.pod.placed or None if one.pod else None,
        alike=service is not None and kind_of(one.record.inputs) == service.key,
    )
