"""Reads the live fleet for `escadre plan`, as much of it as the user may see.

GPUNodes are needed. With the right to list Nodes and Pods the picture is the operator's own;
without it, nodes are described by their agents alone, and GPUs that foreign pods hold are unknown.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError

from escadre import reasons
from escadre.api.approval import ModelApprovalSpec
from escadre.api.gpunode import GPUNodeStatus, MirrorSource
from escadre.cli.plan.prospect import Fleet, KnownApproval
from escadre.cli.shared.deployed import Deployed
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
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.belief import AgentView, believe
from escadre.names import ConditionType
from escadre.state.caches import Caches
from escadre.state.nodes import belief_of, node_facts
from escadre.state.views import GPUNodeView, NodeView, epoch

__all__ = ["read_fleet"]

# What the chart's default tolerates; the platform's own list is not everybody's to read.
_TOLERATED: Final = ({"key": "nvidia.com/gpu", "operator": "Exists"},)
_SYNC_SECONDS = 60.0


async def read_fleet(session: Session, system_namespace: str, now: float) -> Fleet:
    """Everything the planner sees."""
    api = session.api
    gpunodes, deployments, approvals, mirrors = await asyncio.gather(
        list_all(api, GPU_NODES),
        list_all(api, MODEL_DEPLOYMENTS),
        list_all(api, MODEL_APPROVALS),
        list_all(api, MODEL_MIRRORS),
    )
    hidden = [one.plural for one in (NODES, PODS) if not await _may_list(api, one)]
    nodes: Sequence[NodeFacts]
    if hidden:
        nodes = [facts for each in gpunodes if (facts := _from_agent(each, now))]
        notes: tuple[str, ...] = (
            (
                f"You may not list {' and '.join(hidden)}: nodes are as their agents describe "
                "them, and GPUs that pods other than escadre's hold are counted as free."
            ),
        )
    else:
        nodes, notes = await _from_nodes(api, system_namespace, now), ()
    return Fleet(
        deployments=[
            (Deployed.read(each), epoch(each["metadata"].get("creationTimestamp")))
            for each in deployments
        ],
        approvals={known.name: known for each in approvals if (known := _approval(each))},
        mirrors={source.name: source for each in mirrors if (source := _mirror(each))},
        nodes=nodes,
        notes=notes,
    )


async def _may_list(api: Api, resource: Resource) -> bool:
    try:
        await api.list_page(resource, limit=1)
    except Forbidden:
        return False
    return True


async def _from_nodes(api: Api, system_namespace: str, now: float) -> list[NodeFacts]:
    """The operator's own gathering, over caches that are filled once and thrown away."""
    caches = Caches(api, system_namespace, lambda: now)
    informers = (caches.nodes, caches.gpunodes, caches.pods)
    running = [asyncio.create_task(informer.run()) for informer in informers]
    try:
        async with asyncio.timeout(_SYNC_SECONDS):
            await asyncio.gather(*(informer.synced.wait() for informer in informers))
        found = (_from_node(caches, node, now) for node in caches.nodes.values())
        return [facts for facts in found if facts]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _from_node(caches: Caches, node: NodeView, now: float) -> NodeFacts | None:
    gpunode, pods = caches.gpunodes.get(node.name), caches.pods.by("node", node.name)
    belief = belief_of(node, gpunode, caches.agents.of(node.name), now)
    return node_facts(node, gpunode, belief, pods, _TOLERATED)


def _from_agent(body: Json, now: float) -> NodeFacts | None:
    """A node by its agent's word alone: its own identity and boot are taken as true."""
    view = GPUNodeView.of(body)
    status: GPUNodeStatus = view.status
    if not status.gpus:
        return None
    belief = believe(
        view.name,
        node_uid=status.node_uid,
        boot_id=status.boot_id,
        status=status,
        agent=AgentView(ready=True, unready_since=None),
        now=now,
    )
    first = status.gpus[0]
    major, _, minor = first.compute_capability.partition(".")
    return NodeFacts(
        name=view.name,
        uid=view.node_uid,
        product=first.product,
        memory_bytes=min(one.memory_bytes for one in status.gpus),
        compute_capability=(_number(major), _number(minor)),
        gpus=sum(one.healthy for one in status.gpus),
        reserved_bytes=first.reserved_bytes,
        nvlink=all(one.nvlink for one in status.gpus),
        verified=belief.verified,
        weights=belief.weights,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _approval(body: Json) -> KnownApproval | None:
    try:
        spec = ModelApprovalSpec.model_validate(body.get("spec") or {})
    except ValidationError:
        return None
    found: Json = next(
        (
            each
            for each in (body.get("status") or {}).get("conditions") or ()
            if each.get("type") == ConditionType.APPROVED
        ),
        {},
    )
    meta = body["metadata"]
    return KnownApproval(
        name=meta["name"],
        uid=meta.get("uid", ""),
        spec=spec,
        holds=found.get("status") == "True",
        reason=reasons.of(found["reason"]) if "reason" in found else reasons.PENDING,
        message=found.get("message", "the operator has not looked at it yet"),
    )


def _mirror(body: Json) -> MirrorSource | None:
    try:
        return MirrorSource.model_validate(
            {"name": body["metadata"]["name"], **(body.get("spec") or {})}
        )
    except ValidationError:
        return None
