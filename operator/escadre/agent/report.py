"""What the agent says of its node: GPUNode.status, whole, from what it knows at one moment.

Pure. A store that cannot be used reports no id and no weights, so that nobody believes in them.
Numbers that change by themselves are rounded, so that a node at rest writes nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

from escadre.agent.gpus.inventory import Inventory
from escadre.agent.identity import Identity
from escadre.agent.store.store import Space
from escadre.agent.view import FailedPull, RunningPull, StoreView, View
from escadre.api.gpunode import WantedWeights
from escadre.core.status.conditions import Leaf, false, merge, true, unknown
from escadre.errors import Refusal

__all__ = ["SLOW_AFTER", "build_status"]

SLOW_AFTER: Final = 30.0  # seconds a pull may take to get up to speed
_GIB: Final = 1 << 30
_FREE_STEPS: Final = 50  # of the store's size
_LONGEST: Final = 2048


def build_status(
    view: View,
    identity: Identity,
    *,
    version: str,
    generation: int,
    previous: Mapping[str, Any],
    slow: int,
    now: str,
) -> dict[str, Any]:
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
    status: dict[str, Any] = {
        "nodeUID": identity.node_uid,
        "bootID": identity.boot_id,
        "storeID": store.id if store else "",
        "agentVersion": version,
        "driverVersion": inventory.driver_version if inventory else "",
        "gpus": [_gpu(gpu.model_dump(by_alias=True)) for gpu in inventory.gpus]
        if inventory
        else [],
        "weights": weights,
        "summary": f"{sum(each['state'] == 'Verified' for each in weights)}/{len(weights)}",
        "conditions": merge(_leaves(view), previous.get("conditions") or [], generation, now),
    }
    if store:
        status["store"] = _space(store.space, previous.get("store") or {})
    return status


def _space(space: Space, before: Mapping[str, Any]) -> dict[str, Any]:
    """The free bytes as told before until they are off by more than others write at rest."""
    free = space.free // _GIB * _GIB
    told = before.get("freeBytes")
    step = max(_GIB, space.capacity // _FREE_STEPS)
    if (
        before.get("capacityBytes") == space.capacity
        and isinstance(told, int)
        and abs(space.free - told) < step
    ):
        free = told
    return {"capacityBytes": space.capacity, "freeBytes": free}


def _gpu(gpu: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in gpu.items() if value is not None}


def _leaves(view: View) -> list[Leaf]:
    match view.inventory:
        case Refusal() as refusal:
            gpus = false("InventoryReady", refusal.reason, refusal.message)
        case None:
            gpus = unknown("InventoryReady", "Pending", "the GPUs have not been read yet")
        case Inventory() as inventory:
            bad = [gpu for gpu in inventory.gpus if not gpu.healthy]
            message = "; ".join(f"GPU {gpu.index}: {gpu.message}" for gpu in bad)
            gpus = true("InventoryReady", "InventoryReady", message)
    match view.store:
        case Refusal() as refusal:
            store = false("StoreReady", refusal.reason, refusal.message)
        case None:
            store = unknown("StoreReady", "Pending", "the store has not been opened yet")
        case StoreView():
            store = true("StoreReady", "StoreReady")
    return [gpus, store]


def _weights(view: View, store: StoreView, slow: int) -> list[dict[str, Any]]:
    wants = {want.manifest_digest: want for want in view.wants}
    entries = []
    for digest in sorted({*wants, *store.verified}):
        common = {"manifestDigest": digest, "storeID": store.id}
        if record := store.verified.get(digest):
            entries.append(
                common
                | {"state": "Verified", "bytesDone": record.bytes, "bytesTotal": record.bytes}
                | {"since": record.verified_at}
            )
        else:
            entries.append(common | _unfinished(wants[digest], view, slow))
    return entries


def _unfinished(want: WantedWeights, view: View, slow: int) -> dict[str, Any]:
    failure = view.failures.get(want.manifest_digest)
    running = view.running
    if running and running.want.manifest_digest != want.manifest_digest:
        running = None
    # A new try of a failed pull is told as such once it has brought something. Bad bytes stay told
    # until good ones came: an incident must not look like work that goes on by itself.
    tried = running and running.reading.arrived
    if failure and (failure.reason == "DigestMismatch" or not tried):
        return _failed(want, failure)
    since = view.since[want.manifest_digest]
    if running:
        return _pulling(running, slow) | {"since": since}
    return {
        "state": "Pulling",
        "bytesTotal": want.bytes,
        "mirror": want.source.name,
        "message": "waits for another pull on this node" if view.running else "",
        "since": since,
    }


def _failed(want: WantedWeights, failure: FailedPull) -> dict[str, Any]:
    return {
        "state": "Failed",
        "bytesTotal": want.bytes,
        "mirror": failure.mirror,
        "reason": failure.reason,
        "message": failure.message[:_LONGEST],
        "since": failure.since,
    }


def _pulling(running: RunningPull, slow: int) -> dict[str, Any]:
    reading, want = running.reading, running.want
    entry: dict[str, Any] = {
        "state": "Pulling",
        "bytesDone": reading.done,
        "bytesTotal": reading.total or want.bytes,
        "bytesPerSecond": reading.rate,
        "mirror": want.source.name,
    }
    if reading.eta is not None:
        entry["etaSeconds"] = reading.eta
    if reading.seconds > SLOW_AFTER and reading.rate < slow and reading.total:
        entry["reason"] = "MirrorSlow"
        entry["message"] = (
            f"mirror {want.source.name} delivers {reading.rate} bytes per second, "
            f"less than {slow} (chart value agent.slowBytesPerSecond)"
        )
    return entry
