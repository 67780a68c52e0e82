"""What the agent says of its node: GPUNode.status, whole, from what it knows at one moment.

Pure. A store that cannot be used reports no id and no weights, so that nobody believes in them.
Numbers that change by themselves are rounded, so that a node at rest writes nothing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from escadre import reasons
from escadre.agent.gpus.inventory import Inventory
from escadre.agent.identity import Identity
from escadre.agent.prober import alike
from escadre.agent.pull.choose import FailedPull
from escadre.agent.store.records import ModelRecord
from escadre.agent.store.store import Space
from escadre.agent.view import RunningPull, StoreView, View
from escadre.agent.wish import Wish
from escadre.api.gpunode import GPU, GPUNodeStatus, NodeWeights, Store
from escadre.api.probe import ProbedMirror, about
from escadre.core.decimals import bytes_text
from escadre.core.status.conditions import Leaf, false, merge, true
from escadre.core.status.told import past
from escadre.errors import Refusal
from escadre.names import ConditionType, short_digest
from escadre.reasons.said import plain

__all__ = ["SLOW_AFTER", "asks_to_wait", "build_status"]

SLOW_AFTER: Final = 30.0  # seconds a pull may take to get up to speed
_GIB: Final = 1 << 30
_FREE_STEPS: Final = 50  # of the store's size
_COUNTED: Final = (
    "its file system sets no space aside (no fallocate): what a pull needs is counted before its "
    "first byte, and others can still take it meanwhile"
)
_HASHING: Final = "verifies what is on the node already, before anything is asked of the mirror"
_INVENTORY: Final = ConditionType.INVENTORY_READY


def build_status(
    view: View,
    identity: Identity,
    *,
    version: str,
    generation: int,
    previous: GPUNodeStatus,
    slow: int,
    now: str,
) -> GPUNodeStatus:
    """The status to write.

    Args:
        view: what is known.
        identity: which node and boot this is.
        version: of the agent.
        generation: of the GPUNode that was read.
        previous: the status as it stands: for transition times, and numbers that are kept.
        slow: bytes per second under which a mirror counts as slow.
        now: RFC 3339.
    """
    store = view.store if isinstance(view.store, StoreView) else None
    inventory = view.inventory if isinstance(view.inventory, Inventory) else None
    weights = _weights(view, store, slow) if store else []
    before = [past(one) for one in previous.conditions]
    return GPUNodeStatus(
        node_uid=identity.node_uid,
        boot_id=identity.boot_id,
        store_id=store.id if store else "",
        agent_version=version,
        driver_version=inventory.driver_version if inventory else "",
        gpus=list(inventory.gpus) if inventory else [],
        gpu_summary=_healthy(inventory.gpus) if inventory else None,
        store=_space(store.space, previous.store) if store else None,
        weights=weights,
        summary=f"{sum(each.state == 'Verified' for each in weights)}/{len(weights)}",
        conditions=merge(_leaves(view), before, generation, now),
        probes=_probes(view, previous),
    )


def _probes(view: View, previous: GPUNodeStatus) -> list[ProbedMirror]:
    """What the agent before this one found stands until this one has asked."""
    stands = {one.mirror: one for one in previous.probes}
    told = (_told(view.found.get(one.mirror), stands.get(one.mirror)) for one in view.asked)
    wanted = {about(one) for one in view.asked}
    return [one for one in told if one and about(one) in wanted]


def _told(found: ProbedMirror | None, stands: ProbedMirror | None) -> ProbedMirror | None:
    """What an agent finds again after its start was found before: since then it is so."""
    return stands if found and stands and alike(stands, found) else found or stands


def _space(space: Space, before: Store | None) -> Store:
    """The free bytes as told before until they are off by more than others write at rest."""
    step = max(_GIB, space.capacity // _FREE_STEPS)
    free = space.free // _GIB * _GIB
    if before and before.capacity_bytes == space.capacity:
        told = before.free_bytes
        if abs(space.free - told) < step:
            free = told
    return Store(capacity_bytes=space.capacity, free_bytes=free, free=bytes_text(free))


def _healthy(gpus: Sequence[GPU]) -> str:
    """How many there are; how many of them are healthy, where not all are."""
    good = sum(gpu.healthy for gpu in gpus)
    return str(good) if good == len(gpus) else f"{good}/{len(gpus)}"


def _leaves(view: View) -> list[Leaf]:
    match view.inventory:
        case Refusal() as refusal:
            gpus = false(_INVENTORY, refusal.reason, plain(refusal.message))
        case Inventory() as inventory:
            bad = [gpu for gpu in inventory.gpus if not gpu.healthy]
            gpus = _dead(bad) if bad else true(_INVENTORY, reasons.INVENTORY_READY)
    match view.store:
        case Refusal() as refusal:
            store = false(ConditionType.STORE_READY, refusal.reason, plain(refusal.message))
        case StoreView(space=space):
            told = plain("" if space.reserves else _COUNTED)
            store = true(ConditionType.STORE_READY, reasons.STORE_READY, told)
    return [gpus, store]


def _dead(bad: Sequence[GPU]) -> Leaf:
    words = "; ".join(f"GPU {gpu.index} ({gpu.uuid}): {gpu.message}" for gpu in bad)
    return false(_INVENTORY, reasons.GPU_UNHEALTHY, plain(words))


def _weights(view: View, store: StoreView, slow: int) -> list[NodeWeights]:
    """Those wanted first: a status holds many entries, but not any number of them."""
    wishes = {wish.digest: wish for wish in view.wishes}
    others = sorted(store.verified.keys() - wishes.keys())
    return [
        *(_entry(wish, view, store, slow) for _, wish in sorted(wishes.items())),
        *(_verified(digest, store.verified[digest], store.id) for digest in others),
    ]


def _entry(wish: Wish, view: View, store: StoreView, slow: int) -> NodeWeights:
    digest = wish.digest
    if record := store.verified.get(digest):
        return _verified(digest, record, store.id)
    failure = view.failures.get(digest)
    running = view.running
    if running and running.wish.digest != digest:
        running = None
    # A new try of a failed pull is told as such once it has brought something. Bad bytes stay told
    # until good ones came: an incident must not look like work that goes on by itself.
    tried = running and running.reading.arrived
    if failure and (failure.reason == reasons.DIGEST_MISMATCH or not tried):
        return _failed(wish, store.id, failure)
    if running:
        return _pulling(running, store.id, view.since[digest], slow)
    return NodeWeights(
        manifest_digest=digest,
        store_id=store.id,
        state="Pulling",
        bytes_total=wish.want.bytes,
        mirror=wish.mirror,
        **_waiting(wish, view.running),
        since=view.since[digest],
    )


def _verified(digest: str, record: ModelRecord, store_id: str) -> NodeWeights:
    return NodeWeights(
        manifest_digest=digest,
        store_id=store_id,
        state="Verified",
        bytes_done=record.bytes,
        bytes_total=record.bytes,
        since=record.verified_at,
    )


def _failed(wish: Wish, store_id: str, failure: FailedPull) -> NodeWeights:
    return NodeWeights(
        manifest_digest=wish.digest,
        store_id=store_id,
        state="Failed",
        bytes_total=wish.want.bytes,
        mirror=failure.wish.mirror,
        reason=failure.reason,
        message=failure.message,
        since=failure.since,
    )


def _pulling(running: RunningPull, store_id: str, since: str, slow: int) -> NodeWeights:
    wish, told = running.wish, running.reading.progress.numbers()
    return NodeWeights(
        manifest_digest=wish.digest,
        store_id=store_id,
        state="Pulling",
        **{**told, "bytes_total": told["bytes_total"] or wish.want.bytes},
        mirror=wish.mirror,
        since=since,
        **_slow(running, slow),
    )


def _waiting(wish: Wish, running: RunningPull | None) -> dict[str, str]:
    """Why a pull has not begun; the operator adds whose another one is, which it alone knows."""
    if wish.waits or running is None:
        return {"message": wish.waits}
    first = running.wish
    words = (
        f"waits for another pull on this node: {short_digest(first.digest)} of "
        f"ModelApproval {first.want.approval}"
    )
    return {"message": words, "behind": first.digest}


def asks_to_wait(mirror: str | None, until: float) -> str:
    """Of a Retry-After: until when a mirror is left alone, in seconds since the epoch."""
    at = datetime.fromtimestamp(until, UTC)
    return f"mirror {mirror} asked to be left alone until {at:%H:%M:%S} UTC"


def _silence(mirror: str | None, since: float) -> str:
    at = datetime.fromtimestamp(since, UTC)
    return f"no byte from mirror {mirror} since {at:%H:%M:%S} UTC"


def _slow(running: RunningPull, slow: int) -> dict[str, Any]:
    """Why a pull takes longer than it should, if it does."""
    reading, rate = running.reading, running.reading.progress.bytes_per_second
    if reading.hashing:
        return {"message": _HASHING}
    if reading.waits_until is not None:
        return {"message": asks_to_wait(running.wish.mirror, reading.waits_until)}
    if reading.silent_since is not None:
        return {"message": _silence(running.wish.mirror, reading.silent_since)}
    if reading.asked <= SLOW_AFTER or rate >= slow or not reading.progress.bytes_total:
        return {}
    words = (
        f"mirror {running.wish.mirror} delivers {bytes_text(rate)}/s, "
        f"less than {bytes_text(slow)}/s (chart value agent.slowBytesPerSecond)"
    )
    return {"reason": reasons.MIRROR_SLOW, "message": words}
