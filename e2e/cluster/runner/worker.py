"""Runs one container of a pod over all its starts: image, plan, process, probes, back-off, end.

Owned by the pod worker. What it does is visible in its ``ContainerView``; after every change it
calls ``changed``, and the pod's status follows.
"""

import asyncio
import signal
import time
import uuid
from collections.abc import Callable
from typing import Any

from e2e.cluster.api import ApiError
from e2e.cluster.runner.backoff import CrashBackoff
from e2e.cluster.runner.container import ContainerProcess, StartFailedError
from e2e.cluster.runner.context import Context
from e2e.cluster.runner.hooks import run_hook
from e2e.cluster.runner.identity import IdentityError
from e2e.cluster.runner.planning import plan_container
from e2e.cluster.runner.podstate import PodState
from e2e.cluster.runner.probes import Probe
from e2e.cluster.runner.references import MissingReferenceError
from e2e.cluster.runner.status import ContainerView, Terminated

__all__ = ["ContainerWorker"]

_CONFIG_RETRY = 2.0
_IMAGE_RETRY = 10.0


class ContainerWorker:
    """One container, from its first start to the pod's end."""

    def __init__(
        self,
        context: Context,
        state: PodState,
        container: dict[str, Any],
        view: ContainerView,
        changed: Callable[[], None],
        *,
        once: bool = False,
    ) -> None:
        self.view = view
        self._context = context
        self._state = state
        self._spec = container
        self._changed = changed
        self._once = once  # an init container: its good end is what counts as ready
        options = context.options
        self._backoff = CrashBackoff(options.backoff_seconds, options.backoff_limit_seconds)
        self._process: ContainerProcess | None = None
        self._probes: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None
        self._retries = 0

    async def run(self, policy: str) -> bool:
        """Run it until ``policy`` allows no further start; True when its last end was good."""
        while not self._state.stopping.is_set():
            process = await self._prepared()
            if process is None:
                return False
            await self._one_start(process)
            terminated = self.view.terminated
            assert terminated is not None
            good = terminated.exit_code == 0
            if (
                self._state.stopping.is_set()
                or policy == "Never"
                or (policy == "OnFailure" and good)
            ):
                return good
            await self._back_off()
        return False

    async def _back_off(self) -> None:
        delay = self._backoff.delay(time.monotonic())
        if delay:
            pod = self._state.pod
            name = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({self._state.uid})"
            message = (
                f"back-off {_go_duration(delay)} restarting failed "
                f"container={self.view.name} pod={name}"
            )
            self._context.events.record(pod, "BackOff", message)
            self._wait_as("CrashLoopBackOff", message)
            await self._state.pause(delay)

    def _wait_as(self, reason: str, message: str) -> None:
        self.view.waiting = (reason, message)
        self.view.running_since = None
        if self.view.terminated is not None:
            self.view.last = {"terminated": self.view.terminated.as_json()}
            self.view.terminated = None
        self._changed()

    async def _prepared(self) -> ContainerProcess | None:
        """A process ready to start; retries what a kubelet retries, None when the pod ends."""
        while not self._state.stopping.is_set():
            image = self._context.images.find(self._spec["image"])
            if image is None:
                await self._image_missing()
                continue
            folder = self._state.folder / self.view.name
            folder.mkdir(parents=True, exist_ok=True)
            try:
                plan = await plan_container(
                    self._context,
                    self._state.pod,
                    self._spec,
                    image,
                    self._state.volumes.made,
                    folder,
                    self._state.address,
                )
            except (MissingReferenceError, IdentityError) as error:
                self._context.events.record(self._state.pod, "Failed", f"Error: {error}")
                self._wait_as("CreateContainerConfigError", str(error))
                await self._state.pause(_CONFIG_RETRY)
                continue
            except ApiError:
                await self._state.pause(_CONFIG_RETRY)
                continue
            log = self._state.folder / f"{self.view.name}.log"
            assert self._state.sandbox is not None
            return ContainerProcess(plan, self._state.sandbox, log, folder / "termination-log")
        return None

    async def _image_missing(self) -> None:
        image = self._spec["image"]
        why = f"the runner's image table ({self._context.images.source}) has no {image!r}"
        first = self._retries % 2 == 0
        self._retries += 1
        if first:
            self._context.events.record(self._state.pod, "Failed", f"Failed to pull image: {why}")
            self._wait_as("ErrImagePull", f'failed to pull image "{image}": {why}')
            await self._state.pause(1.0)
        else:
            message = f'Back-off pulling image "{image}": ErrImagePull: {why}'
            self._wait_as("ImagePullBackOff", message)
            await self._state.pause(min(_IMAGE_RETRY, self._context.options.backoff_seconds))

    async def _one_start(self, process: ContainerProcess) -> None:
        view = self.view
        if view.terminated is not None:
            view.last = {"terminated": view.terminated.as_json()}
        if view.last:
            view.restarts += 1
        view.container_id = f"escadre://{uuid.uuid4().hex}"
        self._process = process
        reason = None
        try:
            async with self._context.starts:
                await process.start()
        except StartFailedError as error:
            reason, message = "StartError", str(error)
            process.exit_code = 128
        else:
            self._is_running(process)
            await process.exited.wait()
            logs = self._spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
            message = process.termination_message(logs_on_error=logs)
        self._end_probes()
        if self._ending is not None:
            await self._ending
            self._ending = None
        self._process = None
        view.running_since, view.waiting = None, None
        view.ready = view.started = False
        view.ready = self._once and process.exit_code == 0
        view.terminated = Terminated(
            exit_code=process.exit_code,
            reason=reason or ("Completed" if process.exit_code == 0 else "Error"),
            message=message,
            started_at=process.started_at or time.time(),
            finished_at=time.time(),
            container_id=view.container_id,
        )
        self._changed()

    def _is_running(self, process: ContainerProcess) -> None:
        view = self.view
        view.running_since, view.waiting, view.terminated = process.started_at, None, None
        hook = (self._spec.get("lifecycle") or {}).get("postStart")
        if hook:
            self._follow(
                run_hook(hook, self._spec, process, self._context.session, self._state.address)
            )
        if "startupProbe" in self._spec:
            self._probe(process, "startupProbe", self._startup)
        else:
            self._after_startup(process)
        self._changed()

    def _after_startup(self, process: ContainerProcess) -> None:
        self.view.started = True
        if "readinessProbe" in self._spec:
            self._probe(process, "readinessProbe", self._readiness)
        else:
            self.view.ready = True
        if "livenessProbe" in self._spec:
            self._probe(process, "livenessProbe", self._liveness)
        self._changed()

    def _probe(self, process: ContainerProcess, kind: str, verdict: Callable[..., None]) -> None:
        probe = Probe(
            self._spec[kind], self._spec, process, self._context.session, self._state.address
        )
        self._follow(probe.follow(lambda good: verdict(process, probe, good)))

    def _follow(self, work: Any) -> None:
        self._probes.append(asyncio.ensure_future(work))

    def _end_probes(self) -> None:
        for task in self._probes:
            task.cancel()
        self._probes.clear()

    def _startup(self, process: ContainerProcess, probe: Probe, good: bool) -> None:
        if good and not self.view.started:
            self._end_probes()
            self._after_startup(process)
        elif not good:
            self._unhealthy("Startup", probe)
            self._replace(process, "startupProbe")

    def _readiness(self, _: ContainerProcess, probe: Probe, good: bool) -> None:
        if not good:
            self._unhealthy("Readiness", probe)
        if good != self.view.ready:
            self.view.ready = good
            self._changed()

    def _liveness(self, process: ContainerProcess, probe: Probe, good: bool) -> None:
        if not good and not self._state.stopping.is_set():
            self._unhealthy("Liveness", probe)
            self._replace(process, "livenessProbe")

    def _unhealthy(self, kind: str, probe: Probe) -> None:
        message = f"{kind} probe failed: {probe.last_failure}"
        self._context.events.record(self._state.pod, "Unhealthy", message)

    def _replace(self, process: ContainerProcess, kind: str) -> None:
        """End a container that failed its probe; the loop in ``run`` starts the next one."""
        if self._ending is None:
            usual = self._state.pod["spec"].get("terminationGracePeriodSeconds", 30)
            grace = float(self._spec[kind].get("terminationGracePeriodSeconds", usual))
            message = f"Container {self.view.name} failed its probe, will be restarted"
            self._context.events.record(self._state.pod, "Killing", message, "Normal")
            end = time.monotonic() + grace
            self._ending = asyncio.create_task(self._end(process, lambda: end - time.monotonic()))

    async def stop(self, grace_left: Callable[[], float]) -> None:
        """End it within what is left of the grace, which may shrink: hook, SIGTERM, SIGKILL."""
        process = self._process
        if process is not None and not process.exited.is_set():
            await self._end(process, grace_left)

    async def _end(self, process: ContainerProcess, grace_left: Callable[[], float]) -> None:
        hook = (self._spec.get("lifecycle") or {}).get("preStop")
        if hook:
            work = asyncio.ensure_future(
                run_hook(hook, self._spec, process, self._context.session, self._state.address)
            )
            await self._state.within(grace_left, process, work)
            work.cancel()
        process.signal(signal.SIGTERM)
        # A kubelet leaves two seconds even when the hook has used the grace up.
        floor = time.monotonic() + (2.0 if hook and grace_left() > 0 else 0.0)
        await self._state.within(lambda: max(grace_left(), floor - time.monotonic()), process, None)
        await process.kill()

    async def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            await self._process.kill()


def _go_duration(seconds: float) -> str:
    """A duration as Go prints it, which is what a kubelet's message holds."""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"
