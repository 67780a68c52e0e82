"""The key node/name: sole writer of GPUNode.spec and of our labels of the Node."""

from collections.abc import Mapping
from typing import Any

from escadre import reasons
from escadre.api.gpunode import GPUNodeSpec
from escadre.clients.kube import GPU_NODES, NODES, Conflict, NotFound
from escadre.controller.context import Context
from escadre.controller.keys import mirror_key
from escadre.controller.turns import turned
from escadre.core.fleet.belief import label_changes
from escadre.machinery.diff import holds
from escadre.machinery.events import ObjectRef
from escadre.machinery.queue import Priority
from escadre.names import API_VERSION, LABEL_SYSTEM_NAMESPACE, ConditionType
from escadre.render.gpunode import gpunode
from escadre.state.nodes import own_label, told_gpus
from escadre.state.probing import is_told, told_of
from escadre.state.views import GPUNodeView, NodeView

__all__ = ["reconcile_node"]

# How long the garbage collector may take to remove the GPUNode of a replaced Node.
COLLECTED_SECONDS = 2.0
_INVENTORY = ConditionType.INVENTORY_READY


async def reconcile_node(context: Context, name: str) -> float | None:
    """One pass; returns in how many seconds to look again."""
    node = context.caches.nodes.get(name)
    if node is None or node.terminating:
        return None
    live = context.caches.gpunodes.get(name)
    if live is not None and live.node_uid != node.uid:
        await _relabel(context, node, frozenset())
        return COLLECTED_SECONDS
    if live is None and not node.gpus:
        return None
    await _wish(context, node, live)
    if live is not None:
        _tell(context, live)
        _elect(context, name)
    sight = context.sight()
    if not sight.node_stands(name):
        context.replan()  # what is believed of an agent also changes with time
    belief = sight.belief(node)
    if belief is None:
        return None
    gpus = told_gpus(node, context.caches.gpunodes.get(name), belief)
    await _relabel(context, node, belief.verified, own_label(node, gpus))
    return belief.recheck


def _elect(context: Context, name: str) -> None:
    """Another node is to probe what this one no longer can, and this one what none could."""
    memory, ready = context.memory, context.caches.agents.of(name).ready
    for mirror in context.caches.mirrors.values():
        now = memory.probing.get(mirror.name)
        mine = now is not None and now.node == name
        if (now is None and ready) or (now and mine and not (ready and is_told(memory, now))):
            context.wake(mirror_key(mirror.name), 0.0, Priority.RESYNC)


async def _wish(context: Context, node: NodeView, live: GPUNodeView | None) -> None:
    """The wanted weights; left alone until the fleet plan knows the node."""
    plan = context.memory.plan
    if plan is None or node.name not in plan.nodes:
        if live is None:
            await _apply(context, node, GPUNodeSpec(), None)
        return
    wish = told_of(node.name, plan, context.memory.probing.values())
    intent = gpunode(node.name, node.uid, wish, context.settings.namespace)
    same = live is not None and _same_wish(intent["spec"], live)
    if live is None or not same or not _labelled(intent["metadata"]["labels"], live):
        await _apply(context, node, wish, live.uid if live else None)


def _labelled(wanted: dict[str, str], live: GPUNodeView) -> bool:
    """Whether the labels hold; one that an earlier version did not set comes with the next write.

    Nothing is decided by it, and an upgrade writes nothing for its sake.
    """
    where = wanted[LABEL_SYSTEM_NAMESPACE]
    return holds(wanted, {LABEL_SYSTEM_NAMESPACE: where, **live.labels})


def _tell(context: Context, live: GPUNodeView) -> None:
    """An event when GPUs die or can be read no more, and when they are well again."""
    seen = next((c for c in live.status.conditions if c.type == _INVENTORY), None)
    if seen is None or seen.status == "Unknown":
        return
    well = ("True", reasons.INVENTORY_READY)  # that a new one is goes without saying
    if turned(context, live.uid, well, (seen.status, seen.reason)) is not None:
        context.recorder.record(
            ObjectRef(API_VERSION, "GPUNode", live.name, "", live.uid),
            seen.reason,
            f"{seen.type}={seen.status}: {seen.message or seen.reason.meaning}",
            warning=seen.status == "False",
        )


def _same_wish(spec: Mapping[str, list[Any]], live: GPUNodeView) -> bool:
    def same(wanted: list[Any], stored: list[Any]) -> bool:
        return len(stored) == len(wanted) and holds(wanted, stored)

    return all(
        same(spec.get(key) or [], list(live.spec.get(key) or ()))
        for key in ("weights", "mirrors", "probes")
    )


async def _apply(context: Context, node: NodeView, wish: GPUNodeSpec, uid: str | None) -> None:
    body = gpunode(node.name, node.uid, wish, context.settings.namespace)
    if uid is not None:
        body["metadata"]["uid"] = uid
    try:
        result = await context.api.apply(GPU_NODES, body, create_only=uid is None)
    except Conflict as error:
        if error.already_exists:
            return  # the cache will bring it
        raise
    context.caches.gpunodes.note_write(result)


async def _relabel(
    context: Context, node: NodeView, verified: frozenset[str], product: str = ""
) -> None:
    changes = label_changes(node.labels, verified, product)
    if not changes:
        return
    try:
        result = await context.api.patch(NODES, node.name, {"metadata": {"labels": changes}})
    except NotFound:
        return
    context.caches.nodes.note_write(result)
