"""The agent process: who it is, the connection, the signals; cli/agent.py calls it.

What ends it, apart from a signal, is an identity that cannot be right: the message says what to
look at, and no report of another node is ever written.
"""

import asyncio
import os
from urllib.parse import urlsplit

import structlog
from prometheus_client import CollectorRegistry

from escadre.agent.agent import Agent, inventory_source
from escadre.agent.gpunode import KubeGPUNode
from escadre.agent.identity import read_identity
from escadre.clients.kube import KubeApi, Limits, load_connection
from escadre.machinery.waiting import stop_on_signals
from escadre.settings import Settings

__all__ = ["run"]


async def run(settings: Settings) -> int:
    """Runs the agent in this process; returns the exit status."""
    identity = read_identity(os.environ.get("NODE_NAME", ""))
    source = inventory_source(settings.agent)
    connection = await load_connection()
    async with KubeApi(
        connection, component="agent", limits=Limits(connections=4, qps=5, burst=10)
    ) as api:
        node = KubeGPUNode(
            api, identity.node_name, settings.namespace, settings.agent.mirror_secrets
        )
        server = urlsplit(connection.host).hostname or ""
        agent = Agent(settings.agent, identity, node, source, CollectorRegistry(), server)
        await _until_signal(agent)
    return 0


async def _until_signal(agent: Agent) -> None:
    stop = asyncio.Event()
    stop_on_signals(stop)
    running = asyncio.create_task(agent.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        running.cancel()
    stopping.cancel()
    try:
        await running
    except asyncio.CancelledError:
        structlog.get_logger().info("agent stopped")
