"""A ModelDeployment as planning sees it, from its object, its approval and its replicas. Pure."""

from collections.abc import Mapping, Sequence

from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.seats import seats_on
from escadre.core.fleet.plan import FleetPlan
from escadre.core.replicas.relief import Relief, relief_of
from escadre.core.replicas.victims import choose_leaving
from escadre.state.observe import Observed
from escadre.state.views import DeploymentView

__all__ = ["deployment_facts", "key_of", "reliefs"]


def key_of(view: DeploymentView) -> DeploymentKey:
    """Which one it is."""
    return DeploymentKey(view.namespace, view.name)


def deployment_facts(
    view: DeploymentView,
    model: ApprovedModel | None,
    desired: int,
    replicas: Sequence[Observed],
    relief: Mapping[int, Relief],
) -> DeploymentFacts:
    """The facts; ``model`` is what an approval that holds allows, None without one.

    ``relief`` is by slot, where some replica has to leave.
    """
    leaving = choose_leaving([one.view for one in replicas], desired, relief)
    return DeploymentFacts(
        key=key_of(view),
        uid=view.uid,
        created=view.created,
        wish=Wish.of(view.spec),
        model=model,
        min_replicas=view.spec.scaling.min_replicas if view.spec else 0,
        desired=desired,
        replicas=tuple(_replica_facts(one, one.view.slot in leaving) for one in replicas),
    )


def _replica_facts(one: Observed, leaving: bool) -> ReplicaFacts:
    pod, record, layout = one.pod, one.record, one.record.layout
    return ReplicaFacts(
        slot=one.view.slot,
        node=one.node or None,
        gpus=_gpus(one),
        product=layout.product if layout else "",
        manifest_digest=record.inputs.manifest_digest if record.inputs else "",
        wish_matches=one.view.current and layout is not None,
        layout=layout,
        bound=pod is not None and bool(pod.node),
        leaving=leaving or one.view.terminating,
    )


def reliefs(plan: FleetPlan | None, replicas: Sequence[Observed]) -> dict[int, Relief]:
    """What it would bring if each replica left, by slot; ``plan`` is the last one."""
    seats = [seats_on(one.node or None, _gpus(one)) for one in replicas]
    slots = [one.view.slot for one in replicas]
    return dict(zip(slots, relief_of(plan, seats), strict=True))


def _gpus(one: Observed) -> int:
    """Whatever its annotations say, a pod on a node holds what it asked for."""
    if one.record.layout is not None:
        return one.record.layout.gpus
    return one.pod.gpus if one.pod else 0
