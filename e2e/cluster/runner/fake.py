"""Pods without processes: Running and Ready at once, gone at once when deleted.

For rest tests and benchmarks with hundreds of replicas. Their addresses all lead to the runner,
which answers /health, /metrics and /v1/models on the serving port, so that a scrape finds a quiet
engine; ``RunnerConfig.fake_metrics`` names a file whose text is served instead, read each time. As
vLLM it hangs up on a connection that nobody uses for five seconds.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from e2e.cluster.runner.context import Context
from e2e.cluster.runner.publisher import Publisher
from e2e.cluster.runner.removal import delete_object
from e2e.cluster.runner.status import ContainerView, build_status

__all__ = ["FAKE_LABEL", "FAKE_PORT", "FakePod", "fake_responder", "is_fake"]

FAKE_LABEL = "escadre.test/fake"
FAKE_PORT = 8000
_KEPT_SECONDS = 5.0
_QUIET = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="fake"} 0.0
# HELP vllm:num_requests_waiting Number of requests waiting to be processed.
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="fake"} 0.0
"""


def is_fake(context: Context, pod: dict[str, Any]) -> bool:
    """Whether a pod is to be shown Ready without any process.

    By its label or annotation, by its image, or because the runner fakes everything but the
    product's own components.
    """
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    marks = (labels, metadata.get("annotations") or {})
    if any(mark.get(FAKE_LABEL) == "true" for mark in marks):
        return True
    if context.options.fake_all and labels.get("escadre.dev/component") not in (
        "operator",
        "agent",
    ):
        return True
    images = [context.images.find(one["image"]) for one in pod["spec"]["containers"]]
    return any(image is not None and image.fake for image in images)


class FakePod:
    """One pod without a process; the same surface as ``PodWorker``."""

    def __init__(self, context: Context, pod: dict[str, Any], host_address: str) -> None:
        self.node: str = pod["spec"]["nodeName"]
        self.uid: str = pod["metadata"]["uid"]
        self._context = context
        self._pod = pod
        self._host_address = host_address
        self._address = context.fake_addresses.take() if context.options.fake_addresses else ""
        self._deleted = asyncio.Event()
        self._conditions: dict[str, dict[str, Any]] = {}
        now = time.time()
        self._views = [
            ContainerView(
                one["name"],
                one["image"],
                waiting=None,
                running_since=now,
                started=True,
                ready=True,
                container_id=f"escadre://fake-{self.uid}",
            )
            for one in pod["spec"]["containers"]
        ]
        self._publisher = Publisher(context.api, pod, self._build)
        self._publisher.touch()
        self._task = asyncio.create_task(self._run())

    def update(self, pod: dict[str, Any]) -> None:
        """The object changed; only its deletion matters."""
        self._pod = pod
        if pod["metadata"].get("deletionTimestamp"):
            self._deleted.set()

    async def abort(self) -> None:
        """The object or the machine is gone."""
        self._publisher.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._address:
            self._context.fake_addresses.give_back(self._address)

    async def _run(self) -> None:
        await self._deleted.wait()
        self._publisher.close()
        await delete_object(self._context.api, self._pod)

    def _build(self) -> dict[str, Any]:
        status = build_status(
            self._pod,
            [],
            self._views,
            address=self._address,
            host_address=self._host_address,
            previous=self._conditions,
            ended=False,
            now=time.time(),
        )
        self._conditions = {one["type"]: one for one in status["conditions"]}
        return status


def _metrics_text(file: Path | None) -> bytes:
    return file.read_bytes() if file is not None and file.exists() else _QUIET.encode()


async def fake_responder(metrics: Path | None) -> web.AppRunner:
    """Serve what a quiet engine would, on every fake address."""

    async def health(_: web.Request) -> web.Response:
        return web.Response()

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=_metrics_text(metrics), content_type="text/plain")

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "fake", "object": "model"}]})

    application = web.Application()
    application.router.add_get("/health", health)
    application.router.add_get("/metrics", scrape)
    application.router.add_get("/v1/models", models)
    runner = web.AppRunner(application, access_log=None, keepalive_timeout=_KEPT_SECONDS)
    await runner.setup()
    # All addresses of the cluster's own network namespace, which holds the whole fake range.
    await web.TCPSite(runner, "0.0.0.0", FAKE_PORT).start()
    return runner
