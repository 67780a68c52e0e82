"""Entry point of the engine runner: ``python -m e2e.cluster.runner STATE``.

Started by the supervisor, in the cluster's network namespace and a mount namespace of its own.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import aiohttp

from e2e.cluster.addresses import API_PORT, CLUSTER_ADDRESS, FAKE_POD_RANGE, POD_RANGE
from e2e.cluster.api import Api
from e2e.cluster.config import ClusterConfig
from e2e.cluster.control import serve
from e2e.cluster.folders import StateFolder
from e2e.cluster.runner.addressing import AddressPool
from e2e.cluster.runner.agent import Agent
from e2e.cluster.runner.context import Context
from e2e.cluster.runner.events import Events
from e2e.cluster.runner.fake import fake_responder
from e2e.cluster.runner.images import ImageTable
from e2e.cluster.runner.kubelet import serve_logs

__all__ = ["main"]


async def _run(state: StateFolder) -> None:
    config = ClusterConfig.load(state)
    options = config.runner
    if options.idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # A former runner's folders: its processes are gone, its pods start anew.
    shutil.rmtree(state.pods, ignore_errors=True)
    state.pods.mkdir(parents=True)
    server = f"https://{CLUSTER_ADDRESS}:{API_PORT}"
    probes = aiohttp.TCPConnector(force_close=True, limit=0)
    async with (
        Api(server, state.certificates, "runner") as api,
        aiohttp.ClientSession(connector=probes) as session,
    ):
        context = Context(
            api=api,
            session=session,
            state=state,
            options=options,
            images=ImageTable(Path(options.images) if options.images else None),
            addresses=AddressPool(POD_RANGE),
            fake_addresses=AddressPool(FAKE_POD_RANGE),
            events=Events(api),
        )
        agent = Agent(context)
        control = await serve(state.runner_socket, agent.handle)
        metrics = Path(options.fake_metrics) if options.fake_metrics else None
        pages = [await fake_responder(metrics), await serve_logs(state)]
        following = asyncio.create_task(agent.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, following.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await following
        control.close()
        await asyncio.gather(*(page.cleanup() for page in pages))
        await agent.close()


def main() -> None:
    """Run until told to end."""
    if sys.version_info < (3, 12):
        # One descriptor per child instead of one thread: a death signal follows the thread.
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    asyncio.run(_run(StateFolder(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
