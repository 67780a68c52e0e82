"""Kubernetes events about pods, as a kubelet records them; the same one at most every 30 s.

Best effort: an event that cannot be written is dropped.
"""

import asyncio
import time
import uuid
from typing import Any

from e2e.cluster.api import Api, ApiError
from e2e.cluster.runner.status import timestamp

__all__ = ["Events"]

_REPEAT_SECONDS = 30.0


class Events:
    """Records events through the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._recent: dict[tuple[str, str, str], float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def record(self, pod: dict[str, Any], reason: str, message: str, kind: str = "Warning") -> None:
        """Record one event about a pod."""
        key = (pod["metadata"]["uid"], reason, message)
        now = time.monotonic()
        if now - self._recent.get(key, -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        self._recent = {
            one: at for one, at in self._recent.items() if now - at < _REPEAT_SECONDS
        } | {key: now}
        task = asyncio.create_task(self._write(pod, reason, message, kind))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, pod: dict[str, Any], reason: str, message: str, kind: str) -> None:
        metadata, stamp = pod["metadata"], timestamp(time.time())
        namespace = metadata["namespace"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{uuid.uuid4().hex[:16]}",
                "namespace": namespace,
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "namespace": namespace,
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message[:1000],
            "type": kind,
            "count": 1,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
        }
        try:
            await self._api.create(f"/api/v1/namespaces/{namespace}/events", event)
        except ApiError:
            return
