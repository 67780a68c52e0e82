"""Runs one pod from its binding to its removal, and writes its status all the while.

Order: volumes and sandbox (tried again until they are there), init containers one after another,
then all main containers at once. On deletion: hooks, SIGTERM, grace, SIGKILL, last status, and the
object is deleted with grace 0, as the kubelet of a real node does. One worker per pod uid.
"""

import asyncio
import contextlib
import shutil
import time
from typing import Any

from e2e.cluster.api import ApiError
from e2e.cluster.runner.context import Context, is_open
from e2e.cluster.runner.podstate import PodState
from e2e.cluster.runner.publisher import Publisher
from e2e.cluster.runner.removal import delete_object
from e2e.cluster.runner.sandbox import Sandbox, SandboxError
from e2e.cluster.runner.status import ContainerView, build_status, timestamp
from e2e.cluster.runner.volumes import VolumeError, Volumes
from e2e.cluster.runner.worker import ContainerWorker

__all__ = ["PodWorker"]

_SETUP_FIRST_RETRY = 0.3
_SETUP_LAST_RETRY = 3.0
_REFRESH_SECONDS = 5.0


class PodWorker:
    """One pod with processes."""

    def __init__(self, context: Context, pod: dict[str, Any], host_address: str) -> None:
        metadata = pod["metadata"]
        node: str = pod["spec"]["nodeName"]
        name = f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        folder = context.state.pods / name
        volumes = Volumes(context.api, pod, folder, context.state.node_root(node))
        self.node = node
        self.uid: str = metadata["uid"]
        self._context = context
        self._host_address = host_address
        self._state = PodState(pod, folder, volumes)
        self._conditions: dict[str, dict[str, Any]] = {
            one["type"]: one for one in pod.get("status", {}).get("conditions", ())
        }
        self._ended = False
        self._kill_at = float("inf")
        self._deleted = asyncio.Event()
        spec = pod["spec"]
        self._init = _views(pod, spec.get("initContainers", ()), "initContainerStatuses")
        self._main = _views(pod, spec["containers"], "containerStatuses")
        if self._init:
            for view in self._main:
                view.waiting = ("PodInitializing", "")
        self._workers: list[ContainerWorker] = []
        self._publisher = Publisher(context.api, pod, self._build)
        self._task = asyncio.create_task(self._run())

    def update(self, pod: dict[str, Any]) -> None:
        """The object changed: labels and annotations, or its deletion was asked for."""
        self._state.pod = pod
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
            self._kill_at = min(self._kill_at, time.monotonic() + grace)
            self._state.hurry.set()
            self._deleted.set()

    async def abort(self) -> None:
        """The object or the machine is gone: end every process now and write nothing."""
        self._publisher.close()
        self._state.stopping.set()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        for worker in self._workers:
            await worker.kill()
        await self._tear_down()

    def _grace_left(self) -> float:
        return self._kill_at - time.monotonic()

    async def _run(self) -> None:
        self._state.folder.mkdir(parents=True, exist_ok=True)
        self._publisher.touch()
        life = asyncio.create_task(self._live())
        deletion = asyncio.create_task(self._deleted.wait())
        refresher = asyncio.create_task(self._refresh())
        try:
            await asyncio.wait({life, deletion}, return_when=asyncio.FIRST_COMPLETED)
            if not life.done():
                self._state.stopping.set()
                await asyncio.gather(*(one.stop(self._grace_left) for one in self._workers))
            await life
            refresher.cancel()
            self._ended = True
            await self._tear_down(keep_folder=not self._deleted.is_set())
            self._publisher.touch()
            await deletion
            await self._publisher.flushed()
            await delete_object(self._context.api, self._state.pod)
            self._publisher.close()
            shutil.rmtree(self._state.folder, ignore_errors=True)
        finally:
            for task in (life, deletion, refresher):
                task.cancel()

    async def _live(self) -> None:
        if not await self._set_up():
            return
        policy = self._state.pod["spec"].get("restartPolicy", "Always")
        for spec, view in zip(
            self._state.pod["spec"].get("initContainers", ()), self._init, strict=True
        ):
            worker = self._worker(spec, view, once=True)
            if not await worker.run("Never" if policy == "Never" else "OnFailure"):
                return
        workers = [
            self._worker(spec, view)
            for spec, view in zip(self._state.pod["spec"]["containers"], self._main, strict=True)
        ]
        await asyncio.gather(*(worker.run(policy) for worker in workers))

    def _worker(
        self, spec: dict[str, Any], view: ContainerView, *, once: bool = False
    ) -> ContainerWorker:
        touch = self._publisher.touch
        worker = ContainerWorker(self._context, self._state, spec, view, touch, once=once)
        self._workers.append(worker)
        return worker

    async def _set_up(self) -> bool:
        """Volumes and sandbox; False when the pod is deleted before they are there."""
        state, context = self._state, self._context
        retry = _SETUP_FIRST_RETRY
        while not state.stopping.is_set():
            try:
                if not state.address:
                    state.address = context.addresses.take()
                await state.volumes.make(state.address)
                if state.sandbox is None:
                    name = state.pod["spec"].get("hostname") or state.pod["metadata"]["name"]
                    async with context.starts:
                        state.sandbox = await Sandbox.create(
                            state.address, name[:63], is_open=is_open(state.pod)
                        )
            except (VolumeError, SandboxError, ApiError) as error:
                reason = "FailedMount" if isinstance(error, VolumeError) else "FailedSetup"
                context.events.record(state.pod, reason, str(error))
                await state.pause(retry)
                retry = min(_SETUP_LAST_RETRY, retry * 2)
                continue
            self._publisher.touch()
            return True
        return False

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            if self._state.sandbox is not None:
                # What is away now is tried again in the next round.
                with contextlib.suppress(ApiError, LookupError, VolumeError):
                    await self._state.volumes.refresh(self._state.pod, self._state.address)

    async def _tear_down(self, *, keep_folder: bool = False) -> None:
        state = self._state
        if state.sandbox is not None:
            await state.sandbox.remove()
            state.sandbox = None
        if state.address:
            self._context.addresses.give_back(state.address)
        await state.volumes.remove()
        if not keep_folder:
            shutil.rmtree(state.folder, ignore_errors=True)

    def _build(self) -> dict[str, Any]:
        status = build_status(
            self._state.pod,
            self._init,
            self._main,
            address=self._state.address if self._state.sandbox or self._ended else "",
            host_address=self._host_address,
            previous=self._conditions,
            ended=self._ended,
            now=time.time(),
        )
        self._conditions = {one["type"]: one for one in status["conditions"]}
        return status


def _views(
    pod: dict[str, Any], specs: list[dict[str, Any]] | tuple[()], field: str
) -> list[ContainerView]:
    """One view per container; what ran under a former runner counts as ended and restarts."""
    known = {one["name"]: one for one in pod.get("status", {}).get(field, ())}
    views = []
    for spec in specs:
        view = ContainerView(spec["name"], spec["image"])
        old = known.get(spec["name"])
        if old is not None:
            view.restarts = old.get("restartCount", 0)
            view.last = old.get("lastState") or {}
            if old.get("state", {}).get("terminated"):
                view.last = {"terminated": old["state"]["terminated"]}
            elif running := old.get("state", {}).get("running"):
                view.last = {"terminated": _lost(running, old.get("containerID", ""))}
        views.append(view)
    return views


def _lost(running: dict[str, Any], container_id: str) -> dict[str, Any]:
    return {
        "exitCode": 137,
        "reason": "ContainerStatusUnknown",
        "message": "The container could not be located when the runner came back",
        "startedAt": running.get("startedAt"),
        "finishedAt": timestamp(time.time()),
        "containerID": container_id,
    }
