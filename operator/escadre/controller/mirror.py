"""The key mirror/name: writes ModelMirror.status."""

from datetime import UTC, datetime

from escadre.api.mirror import MirrorProbed, ModelMirrorStatus
from escadre.api.probe import MirrorFacts
from escadre.controller.context import Context
from escadre.controller.keys import node_key
from escadre.controller.statuswriter import write_status
from escadre.controller.turns import stored, turned
from escadre.core.approvals.verdict import iso
from escadre.core.status.conditions import Leaf, merge
from escadre.core.status.mirror import Found, Unasked, mirror_leaves
from escadre.machinery.events import ObjectRef
from escadre.machinery.queue import Priority
from escadre.names import API_VERSION
from escadre.state.memory import Probing
from escadre.state.mirrors import failures_of
from escadre.state.probing import found_of, is_doubted, probing_of
from escadre.state.views import MirrorView

__all__ = ["reconcile_mirror"]


async def reconcile_mirror(context: Context, name: str) -> float | None:
    """One pass; it is woken by the mirror and by nodes whose pulls begin or cease to fail."""
    view = context.caches.mirrors.get(name)
    if view is None or view.terminating:
        context.memory.failing.discard(name)
        _ask(context, name, None)
        return None
    failed = failures_of(name, context.caches.gpunodes.values())
    probed = _probed(context, view, failing=bool(failed))
    leaves = mirror_leaves(view.invalid, failed, probed)
    found = probed if isinstance(probed, Found) else None
    status = ModelMirrorStatus(
        observed_generation=view.generation,
        conditions=merge(leaves, view.told, view.generation, iso(context.now())),
        probe=_told(found) if found else None,
    )
    _tell(context, view, leaves[0])
    await write_status(context, context.caches.mirrors, view, status)
    return None


def _probed(context: Context, view: MirrorView, *, failing: bool) -> Found | Unasked:
    """What one node found; the node that is to ask, and the one that was to, are woken."""
    doubted = _doubted(context, view, failing=failing)
    if view.source is None:
        _ask(context, view.name, None)
        return Unasked("")
    now = probing_of(context.caches, context.memory, view, doubted)
    if isinstance(now, str):
        _ask(context, view.name, None)
        return Unasked(now)
    _ask(context, view.name, now)
    words = f"node {now.node} is to ask it a little"
    found = found_of(context.caches, now)
    return found or Unasked(words, doubted=now.probe.doubted_at is not None)


def _doubted(context: Context, view: MirrorView, *, failing: bool) -> datetime | None:
    """When pulls from it began to fail: another mirror may have helped them since."""
    name = view.name
    known, before = context.memory.failing, context.memory.probing.get(name)
    if before and before.probe.mirror_uid != view.uid:  # made anew, between two looks
        before = None
    # Who begins to lead sees what was written down already.
    seen = before is None and is_doubted(context.caches, view)
    news = failing and name not in known and not seen
    (known.add if failing else known.discard)(name)
    if news:
        return datetime.fromtimestamp(int(context.now()), UTC)
    return before.probe.doubted_at if before else None


def _ask(context: Context, mirror: str, now: Probing | None) -> None:
    """Note who is to ask; the passes of the nodes write it down."""
    probing = context.memory.probing
    before = probing.pop(mirror, None)
    if now is not None:
        probing[mirror] = now
    if before != now:
        for one in (before, now):
            if one is not None:
                context.wake(node_key(one.node), 0.0, Priority.NORMAL)


def _told(found: Found) -> MirrorProbed:
    facts = {name: getattr(found.facts, name) for name in MirrorFacts.model_fields}
    return MirrorProbed(**facts, node=found.node, approval=found.approval)


def _tell(context: Context, view: MirrorView, ready: Leaf) -> None:
    """An event when it turns; that a new one can be used goes without saying."""
    before = stored(view.told, ready.type)
    turn = turned(context, view.uid, before, (ready.status, ready.reason))
    if turn is None:
        return
    first = turn.before is None or turn.before[0] == "Unknown"
    if not (first and ready.status == "True"):
        context.recorder.record(
            ObjectRef(API_VERSION, "ModelMirror", view.name, "", view.uid),
            ready.reason,
            ready.spoken,
            topic=ready.type,
        )
