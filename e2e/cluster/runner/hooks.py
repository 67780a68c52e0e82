"""Runs a lifecycle hook of a container: sleep, HTTP request, or a program beside it."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
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
            _kill(child)


def _kill(child: asyncio.subprocess.Process) -> None:
    """End a hook that still runs: what nsenter forked, so that nsenter reaps it and ends too.

    Without nsenter it would be nobody's, and a container ends only when all in it were reaped.
    """
    if child.returncode is not None:
        return
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    for number in children or [str(child.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGKILL)
