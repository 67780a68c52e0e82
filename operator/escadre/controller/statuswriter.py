"""Writes a status: last in a pass, only if it changed, seldom when only numbers did."""

from collections.abc import Callable, Mapping
from typing import Any

from escadre.clients.kube import NotFound, Resource
from escadre.controller.context import Context
from escadre.machinery.diff import holds
from escadre.names import API_VERSION

__all__ = ["write_status"]


async def write_status(
    context: Context,
    resource: Resource,
    *,
    name: str,
    namespace: str,
    uid: str,
    stored: Mapping[str, Any],
    status: dict[str, Any],
    essence: Callable[[Mapping[str, Any]], str],
    note: Callable[[dict[str, Any]], None],
) -> float | None:
    """Applies ``status`` where it differs from ``stored``.

    Returns:
        Seconds after which a change of mere numbers may be written, None when nothing waits.
    """
    if holds(status, stored) and holds(_known(stored, status), status):
        return None
    interval = context.settings.operator.status_interval_seconds
    written = context.memory.status_written.get(uid)
    if written is not None and essence(status) == essence(stored):
        left = written + interval - context.now()
        if left > 0:
            return left
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "metadata": {"name": name, "uid": uid},
        "status": status,
    }
    if namespace:
        body["metadata"]["namespace"] = namespace
    try:
        result = await context.api.apply(resource, body, subresource="status")
    except NotFound:
        return None  # deleted meanwhile: there is nobody left to tell
    context.memory.status_written[uid] = context.now()
    note(result)
    return None


def _known(stored: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """The stored status without what schema defaults put there."""
    return {key: value for key, value in stored.items() if key in status or value}
