"""Follows every pod bound to a node and gives each one a worker: the runner's main loop.

List, then watch; whenever the watch ends, list again. The state of the world is the workers it
holds, keyed by pod uid. It also answers control requests: ``power`` switches a machine off or on.
"""

import asyncio
import contextlib
from typing import Any

from e2e.cluster.api import Api, ApiError
from e2e.cluster.control import ControlError
from e2e.cluster.runner.context import Context
from e2e.cluster.runner.fake import FakePod, is_fake
from e2e.cluster.runner.pod import PodWorker

__all__ = ["Agent"]

_BOUND = "spec.nodeName!="
_RETRY_SECONDS = 0.5
_OVER = ("Succeeded", "Failed")


class Agent:
    """All pods of all simulated nodes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._api: Api = context.api
        self._workers: dict[str, PodWorker | FakePod] = {}
        self._pods: dict[str, dict[str, Any]] = {}
        self._hosts: dict[str, str] = {}
        self._off: set[str] = set()
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Follow pods for ever."""
        while True:
            try:
                version = await self._list()
                async for event in self._api.watch("/api/v1/pods", version, fieldSelector=_BOUND):
                    await self._event(event)
            except ApiError as error:
                if error.status != 410:
                    await asyncio.sleep(_RETRY_SECONDS)

    async def close(self) -> None:
        """End every process; the objects stay as they are."""
        await asyncio.gather(*(worker.abort() for worker in self._workers.values()))
        self._workers.clear()

    async def handle(self, request: dict[str, Any]) -> dict[str, Any]:
        """One control request."""
        if request["op"] == "power":
            await self._power(request["node"], on=bool(request["on"]))
            return {"pods": len(self._workers)}
        if request["op"] == "status":
            return {"pods": len(self._workers), "off": sorted(self._off)}
        raise ControlError(f"no operation {request['op']!r}")

    async def _power(self, node: str, *, on: bool) -> None:
        if not on:
            self._off.add(node)
            mine = [worker for worker in self._workers.values() if worker.node == node]
            for worker in mine:
                del self._workers[worker.uid]
            await asyncio.gather(*(worker.abort() for worker in mine))
            return
        self._off.discard(node)
        for pod in list(self._pods.values()):
            if pod["spec"]["nodeName"] == node:
                metadata = pod["metadata"]
                path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
                with contextlib.suppress(ApiError):
                    await self._present(await self._api.get(path))

    async def _list(self) -> str:
        found = await self._api.get("/api/v1/pods", fieldSelector=_BOUND)
        present = {pod["metadata"]["uid"] for pod in found["items"]}
        for uid in set(self._pods) - present:
            self._gone(uid)
        for pod in found["items"]:
            await self._present(pod)
        version: str = found["metadata"]["resourceVersion"]
        return version

    async def _event(self, event: dict[str, Any]) -> None:
        if event["type"] == "BOOKMARK":
            return
        if event["type"] == "DELETED":
            self._gone(event["object"]["metadata"]["uid"])
        else:
            await self._present(event["object"])

    def _gone(self, uid: str) -> None:
        self._pods.pop(uid, None)
        worker = self._workers.pop(uid, None)
        if worker is not None:
            task = asyncio.create_task(worker.abort())
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _present(self, pod: dict[str, Any]) -> None:
        uid, node = pod["metadata"]["uid"], pod["spec"]["nodeName"]
        self._pods[uid] = pod
        if node in self._off:
            return
        worker = self._workers.get(uid)
        if worker is None:
            if pod.get("status", {}).get("phase") in _OVER and not _terminating(pod):
                return
            host = await self._host_address(node)
            kind = FakePod if is_fake(self._context, pod) else PodWorker
            worker = self._workers[uid] = kind(self._context, pod, host)
        worker.update(pod)

    async def _host_address(self, node: str) -> str:
        if node not in self._hosts:
            found = await self._api.get(f"/api/v1/nodes/{node}")
            addresses = found["status"].get("addresses", ())
            internal = [one["address"] for one in addresses if one["type"] == "InternalIP"]
            self._hosts[node] = internal[0] if internal else ""
            boot_id = self._context.state.boot_id(node)
            if not boot_id.exists():
                # A node that a test created by itself, with its own boot id.
                self._context.state.node_root(node).mkdir(parents=True, exist_ok=True)
                boot_id.write_text(found["status"]["nodeInfo"].get("bootID", "") + "\n")
        return self._hosts[node]


def _terminating(pod: dict[str, Any]) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))
