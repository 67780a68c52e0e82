"""Runs a lifecycle hook of a container: sleep, HTTP request, or a program beside it."""

import asyncio
import contextlib
from typing import Any

import aiohttp

from e2e.cluster.runner.container import ContainerProcess
from e2e.cluster.runner.probes import port_number

__all__ = ["run_hook"]


async def run_hook(
    hook: dict[str, Any],
    container: dict[str, Any],
    process: ContainerProcess,
    session: aiohttp.ClientSession,
    address: str,
) -> None:
    """Run it to its end; a hook that fails is over, as for a kubelet's preStop."""
    if sleep := hook.get("sleep"):
        await asyncio.sleep(float(sleep["seconds"]))
    elif get := hook.get("httpGet"):
        port = port_number(container, get["port"])
        scheme = get.get("scheme", "HTTP").lower()
        url = f"{scheme}://{get.get('host') or address}:{port}{get.get('path', '/')}"
        with contextlib.suppress(aiohttp.ClientError, OSError):
            async with session.get(url, ssl=False) as answer:
                await answer.read()
    elif run := hook.get("exec"):
        child = await asyncio.create_subprocess_exec(
            *process.enter(),
            *run["command"],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
