"""Reads the live fleet for `escadre plan`, as much of it as the user may see.

GPUNodes are needed. With the right to list Nodes and Pods the picture is the operator's own;
without it, nodes are described by their agents alone, and GPUs that foreign pods hold are unknown.
What the operator is configured with is read where it may be, and named as assumed where not.
"""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Final

import typer

from escadre import reasons
from escadre.cli.plan.approvals import KnownApproval
from escadre.cli.plan.platform import Platform, platform_of
from escadre.cli.plan.prospect import Fleet
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.engineconfig import read_engine_config
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.session import Session
from escadre.clients.kube import (
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    NODES,
    PODS,
    Api,
    Forbidden,
    Json,
    Resource,
    list_all,
)
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import NodeFacts, Unused
from escadre.core.fleet.belief import AgentView
from escadre.names import ConditionType
from escadre.state.caches import Caches
from escadre.state.nodes import belief_of, node_facts, told_gpus
from escadre.state.unused import unused
from escadre.state.views import ApprovalView, GPUNodeView, MirrorView, NodeView, epoch
from escadre.state.views.unoffered import LABEL_PRODUCT

__all__ = ["FLEET_NAMESPACE", "FleetNamespaceOption", "read_fleet"]

FLEET_NAMESPACE: Final = "escadre-system"
FleetNamespaceOption = Annotated[
    str,
    typer.Option(help="Where the operator and its agents run.", callback=given_namespace),
]


async def read_fleet(session: Session, system_namespace: str, now: float) -> Fleet:
    """Everything the planner sees."""
    api = session.api
    gpunodes, deployments, approvals, mirrors = await asyncio.gather(
        list_all(api, GPU_NODES),
        list_all(api, MODEL_DEPLOYMENTS),
        list_all(api, MODEL_APPROVALS),
        list_all(api, MODEL_MIRRORS),
    )
    known = [
        (Deployed.read(each), epoch(each["metadata"].get("creationTimestamp")))
        for each in deployments
    ]
    layouts = [one.status.plan for one, _ in known if one.status.plan]
    percents = [one.gpu_memory_utilization_percent for one in layouts]
    platform = platform_of(await read_engine_config(api, system_namespace), percents)
    hidden = [one.plural for one in (NODES, PODS) if not await _may_list(api, one)]
    if hidden:
        nodes = _from_agents(gpunodes, platform, now)
        note = (
            f"You may not list {' and '.join(hidden)}: nodes are as their agents describe "
            "them, and GPUs that pods other than escadre's hold are counted as free."
        )
    else:
        nodes, note = await _from_nodes(api, system_namespace, platform, now)
    return Fleet(
        deployments=known,
        approvals={one.name: one for each in approvals if (one := _approval(each))},
        mirrors={source.name: source for each in mirrors if (source := MirrorView.of(each).source)},
        nodes=nodes,
        gpu_memory_utilization_percent=platform.gpu_memory_utilization_percent,
        profile=platform.profile,
        notes=(*((note,) if note else ()), *platform.notes),
        free_bytes={
            one.name: one.status.store.free_bytes
            for one in map(GPUNodeView.of, gpunodes)
            if one.status.store
        },
    )


async def _may_list(api: Api, resource: Resource) -> bool:
    try:
        await api.list_page(resource, limit=1)
    except Forbidden:
        return False
    return True


async def _from_nodes(
    api: Api, system_namespace: str, platform: Platform, now: float
) -> tuple[list[NodeFacts | Unused], str]:
    """The operator's own gathering, over caches that are filled once and thrown away."""
    caches, note = Caches(api, system_namespace, lambda: now), ""
    await asyncio.gather(*(one.refresh() for one in (caches.nodes, caches.gpunodes, caches.pods)))
    try:
        await caches.device_claims.refresh()
    except Forbidden:
        note = "You may not list resourceclaims: GPUs that they hold are counted as free."
    found = []
    for node in caches.nodes.values():
        gpunode, holders = caches.gpunodes.get(node.name), caches.holders_of(node.name)
        belief = belief_of(node, gpunode, caches.agents.of(node.name), now)
        facts = node_facts(node, gpunode, belief, holders, platform.tolerations)
        found.append(facts or unused(node, told_gpus(node, gpunode, belief)))
    return [one for one in found if one], note


def _from_agents(
    gpunodes: Iterable[Json], platform: Platform, now: float
) -> list[NodeFacts | Unused]:
    """Nodes by their agents' word alone: identity, boot and place of the agent taken as true."""
    found = []
    for each in gpunodes:
        gpunode = GPUNodeView.of(each)
        node = _described(gpunode)
        belief = belief_of(node, gpunode, AgentView(ready=True, unready_since=None), now)
        found.append(node_facts(node, gpunode, belief, (), platform.tolerations))
    return [facts for facts in found if facts]


def _described(gpunode: GPUNodeView) -> NodeView:
    """The Node that the agent describes, labelled as GPU feature discovery would."""
    status = gpunode.status
    product = next((one.product for one in status.gpus if one.product), "")
    return NodeView(
        namespace="",
        name=gpunode.name,
        uid=gpunode.node_uid,
        resource_version="",
        generation=0,
        created=0.0,
        terminating=False,
        labels={LABEL_PRODUCT: product} if product else {},
        boot_id=status.boot_id,
        gpus=len(status.gpus),
        devices=len(status.gpus),
        unoffered="",
        blocked="",
        lost_since=None,
        taints=(),
    )


def _approval(body: Json) -> KnownApproval | None:
    """As the operator judged it; it alone sees the policies that signatures rest on."""
    view = ApprovalView.of(body)
    if view.spec is None:
        return None
    told = next((one for one in view.told if one.type == ConditionType.APPROVED), None)
    return KnownApproval(
        name=view.name,
        model=ApprovedModel.of(view.name, view.uid, view.spec),
        spec=view.spec,
        holds=told is not None and told.status == "True",
        reason=told.reason if told else reasons.PENDING,
        message=told.message if told else "the operator has not looked at it yet",
    )
