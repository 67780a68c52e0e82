"""Builders of fleets for the planner's tests: nodes, deployments, replicas, plans carried out."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from tests.core.shapes import H100, SMALL_3

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.api.gpunode import MirrorReference, MirrorSource, WantedWeights
from escadre.core.facts.deployment import DeploymentFacts, DeploymentKey, ReplicaFacts
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.facts.node import NodeFacts, Unbelieved
from escadre.core.fleet.plan import DeploymentPlan, FleetPlan, plan_fleet
from escadre.core.layouts.search import GPUProduct

# The agent's word does not count, and why.
SILENT = Unbelieved(reasons.AGENT_NOT_READY, "the agent says nothing")


def digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def mirror(name: str = "internal", pulls: int = 4, generation: int = 1) -> MirrorSource:
    return MirrorSource(
        name=name,
        generation=generation,
        type="http",
        url=f"http://{name}.example/weights",
        max_concurrent_pulls=pulls,
    )


def model(
    name: str = "small", architecture: Architecture = SMALL_3, mirrors: tuple[str, ...] = ()
) -> ApprovedModel:
    return ApprovedModel(
        approval=name,
        approval_uid=f"uid-{name}",
        repository=f"mistralai/{name}",
        revision="a" * 40,
        manifest_digest=digest(name),
        file_bytes=architecture.weight_bytes + 1000,
        architecture=architecture,
        mirrors=mirrors or ("internal",),
    )


def node(name: str, gpus: int = 8, product: GPUProduct = H100) -> NodeFacts:
    return NodeFacts(
        name=name,
        uid=f"uid-{name}",
        product=product.name,
        memory_bytes=product.memory_bytes,
        compute_capability=product.compute_capability,
        gpus=gpus,
    )


ONE_GPU = Wish(32768, 16)
TWO_GPUS = Wish(32768, 64)


def deployment(
    name: str,
    *,
    wish: Wish = ONE_GPU,
    approved: ApprovedModel | None = None,
    desired: int = 1,
    minimum: int = 1,
    created: float = 0.0,
    replicas: tuple[ReplicaFacts, ...] = (),
) -> DeploymentFacts:
    return DeploymentFacts(
        key=DeploymentKey("team", name),
        uid=f"uid-{name}",
        created=created,
        wish=wish,
        model=approved or model(),
        min_replicas=minimum,
        desired=desired,
        replicas=replicas,
    )


def snapshot(
    deployments: tuple[DeploymentFacts, ...],
    nodes: tuple[NodeFacts, ...],
    *mirrors: MirrorSource,
) -> FleetSnapshot:
    sources = mirrors or (mirror(),)
    return FleetSnapshot(deployments, nodes, {one.name: one for one in sources}, 92)


def wanted(approved: ApprovedModel, source: MirrorSource | None = None) -> WantedWeights:
    told = source or mirror()
    return WantedWeights(
        manifest_digest=approved.manifest_digest,
        approval=approved.approval,
        repository=approved.repository,
        revision=approved.revision,
        bytes=approved.file_bytes,
        mirror=MirrorReference(name=told.name, generation=told.generation),
    )


def carry_out(seen: FleetSnapshot, plan: FleetPlan, *, bound: bool = True) -> FleetSnapshot:
    """What the controller and the cluster make of a plan: replicas exist, GPUNodes are written."""
    return replace(
        seen,
        deployments=tuple(_with_replicas(one, plan, bound=bound) for one in seen.deployments),
        nodes=tuple(
            replace(one, wanted=plan.nodes[one.name], mirrors=plan.mirrors[one.name])
            for one in seen.nodes
        ),
    )


def _with_replicas(one: DeploymentFacts, plan: FleetPlan, *, bound: bool) -> DeploymentFacts:
    before: Mapping[int, ReplicaFacts] = {replica.slot: replica for replica in one.replicas}
    made: list[ReplicaFacts] = [replica for replica in one.replicas if replica.leaving]
    for slot in plan.deployments[one.key].slots:
        old = before.get(slot.slot)
        if slot.node is None or slot.layout is None:
            if old is not None:
                made.append(old)
            continue
        made.append(
            ReplicaFacts(
                slot=slot.slot,
                node=slot.node,
                gpus=slot.layout.gpus,
                product=slot.layout.product,
                manifest_digest=slot.manifest_digest,
                wish_matches=one.model is not None or (old is not None and old.wish_matches),
                layout=slot.layout,
                bound=bound or (old is not None and old.bound and old.node == slot.node),
            )
        )
    return replace(one, replicas=tuple(made))


def plan_of(plan: FleetPlan, name: str) -> DeploymentPlan:
    return next(one for key, one in plan.deployments.items() if key.name == name)


def nodes_of(plan: FleetPlan, name: str) -> list[str | None]:
    return [slot.node for slot in plan_of(plan, name).slots]


def running(
    where: str,
    wish: Wish = ONE_GPU,
    *,
    slot: int = 0,
    bound: bool = True,
    matches: bool = True,
    leaving: bool = False,
    name: str = "small",
) -> ReplicaFacts:
    """A replica as an earlier plan on H100 made it."""
    plan = plan_fleet(snapshot((deployment("x", wish=wish),), (node(where),)))
    layout = plan_of(plan, "x").layout
    assert layout is not None
    return ReplicaFacts(
        slot=slot,
        node=where,
        gpus=layout.gpus,
        product=layout.product,
        manifest_digest=digest(name),
        wish_matches=matches,
        layout=layout,
        bound=bound,
        leaving=leaving,
    )
