"""The key mirror/name: writes ModelMirror.status."""

from escadre.api.mirror import ModelMirrorStatus
from escadre.controller.context import Context
from escadre.controller.statuswriter import write_status
from escadre.controller.turns import stored, turned
from escadre.core.approvals.verdict import iso
from escadre.core.status.conditions import Leaf, merge
from escadre.core.status.mirror import mirror_leaves
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION
from escadre.state.mirrors import failures_of
from escadre.state.views import MirrorView

__all__ = ["reconcile_mirror"]


async def reconcile_mirror(context: Context, name: str) -> float | None:
    """One pass; it is woken by the mirror and by nodes whose pulls begin or cease to fail."""
    view = context.caches.mirrors.get(name)
    if view is None or view.terminating:
        return None
    leaves = mirror_leaves(view.invalid, failures_of(name, context.caches.gpunodes.values()))
    status = ModelMirrorStatus(
        observed_generation=view.generation,
        conditions=merge(leaves, view.told, view.generation, iso(context.now())),
    )
    _tell(context, view, leaves[0])
    await write_status(context, context.caches.mirrors, view, status)
    return None


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
