"""A ModelDeployment as planning sees it, from what everybody may read: its spec and its status.

The operator makes these facts from the replicas' own objects (state/gather.py); their status tells
the same of them. How many replicas are wanted, and who leaves, is decided by the same functions.
Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from escadre.api.deployment import Layout, ModelDeploymentSpec, ReplicaStatus
from escadre.cli.shared.deployed import Deployed
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import ReplicaView
from escadre.core.replicas.victims import choose_leaving
from escadre.core.scaling.step import Bounds, Scalable, desired, seed
from escadre.core.scaling.target import target_queue_depth

__all__ = ["Wanted", "facts_of", "replaced"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A deployment to plan: a wish of a file, or one that stands on the cluster, or both.

    ``model`` is what its approval allows, or would, once it holds.
    """

    key: DeploymentKey
    spec: ModelDeploymentSpec | None
    model: ApprovedModel | None
    live: Deployed | None
    created: float


def facts_of(wanted: Wanted, layout: Layout | None, now: float) -> DeploymentFacts:
    """The facts; ``layout`` is that of the plan before, if there was one."""
    spec, replicas = wanted.spec, _replicas(wanted)
    number = _desired(wanted, layout, [view for view, _ in replicas], now)
    leaving = choose_leaving([view for view, _ in replicas], number)
    return DeploymentFacts(
        key=wanted.key,
        uid=f"{wanted.key.namespace}/{wanted.key.name}",
        created=wanted.created,
        wish=Wish.of(spec),
        model=wanted.model,
        min_replicas=spec.scaling.min_replicas if spec else 0,
        desired=number,
        replicas=tuple(_facts(wanted, view, item, leaving) for view, item in replicas),
    )


def replaced(wanted: Wanted) -> int:
    """How many engines that run are replaced once the wish is applied."""
    told = wanted.live.status.replicas if wanted.live else None
    if told is None or _as_before(wanted):
        return 0
    return sum(item.state != "Draining" for item in told.items)


def _desired(
    wanted: Wanted, layout: Layout | None, replicas: Sequence[ReplicaView], now: float
) -> int:
    """As an operator decides that has just been started: what is promised, within the bounds.

    Spare replicas are there without any demand, so as many are planned for at least.
    """
    scaling = wanted.spec.scaling if wanted.spec else None
    spare = (scaling.spare_replicas or 0) if scaling else 0
    told = wanted.live.status.replicas if wanted.live else None
    seen = Scalable(
        bounds=Bounds.of(scaling, now) if scaling else None,
        approved=wanted.model is not None,
        target=target_queue_depth(scaling.target_queue_depth if scaling else None, layout),
        told=told.desired if told else None,
        staying=sum(view.drain is None for view in replicas),
        spare=spare,
    )
    return max(desired(seed(seen, now), seen), spare if seen.approved and layout else 0)


def _replicas(wanted: Wanted) -> list[tuple[ReplicaView, ReplicaStatus]]:
    told = wanted.live.status.replicas if wanted.live else None
    found = [
        (_view(int(slot), item, current=item.current and _as_before(wanted)), item)
        for item in (told.items if told else ())
        if (slot := item.name.rpartition("-")[2]).isdecimal()
    ]
    return sorted(found, key=lambda one: one[0].slot)


def _view(slot: int, item: ReplicaStatus, *, current: bool) -> ReplicaView:
    state: Literal["Pending", "Loading", "Ready", "NotResponding", "Failing"]
    state = "Ready" if item.state == "Draining" else item.state
    # Its status does not tell why it drains: it goes first if one is to go, and stays otherwise.
    drain = Drain("ScaleDown", 0.0) if item.state == "Draining" else None
    return ReplicaView(slot, state, current, drain=drain, digest=item.digest or "")


def _as_before(wanted: Wanted) -> bool:
    """Whether the wish asks for the engines that run: of the same shape, on the same weights."""
    live, model = wanted.live, wanted.model
    if live is None or live.spec is wanted.spec:
        return True
    served = live.status.approval
    return (
        Wish.of(live.spec) == Wish.of(wanted.spec)
        and model is not None
        and served is not None
        and served.manifest_digest == model.manifest_digest
    )


def _facts(
    wanted: Wanted, view: ReplicaView, item: ReplicaStatus, leaving: frozenset[int]
) -> ReplicaFacts:
    told = wanted.live.status.plan if wanted.live else None
    layout = told.layout if told else None
    return ReplicaFacts(
        slot=view.slot,
        node=item.node or None,
        gpus=layout.gpus if layout else 0,
        product=layout.product if layout else "",
        manifest_digest=view.digest,
        wish_matches=view.current and layout is not None,
        layout=layout,
        bound=item.state != "Pending",
        leaving=view.slot in leaving,
    )
