"""Startup, readiness and liveness probes of one container.

Runs while the container runs; tells its owner through two callbacks. Requests come from the
cluster's namespace, as from a node; one connection per probe, as a kubelet does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from e2e.cluster.runner.container import ContainerProcess

__all__ = ["Probe", "port_number"]

_Check = Callable[[], Awaitable[str | None]]


def port_number(container: dict[str, Any], port: int | str) -> int:
    """A port by number or by the name that the container gives it."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for one in container.get("ports", ()):
        if one.get("name") == port:
            return int(one["containerPort"])
    raise LookupError(f"container {container['name']} has no port named {port!r}")


class Probe:
    """One probe: asks every period, reports changes once the threshold is reached."""

    def __init__(
        self,
        spec: dict[str, Any],
        container: dict[str, Any],
        process: ContainerProcess,
        session: aiohttp.ClientSession,
        address: str,
    ) -> None:
        self._spec = spec
        self._container = container
        self._process = process
        self._session = session
        self._address = address
        self._timeout = float(spec.get("timeoutSeconds", 1))
        self.last_failure = ""

    async def follow(self, changed: Callable[[bool], None]) -> None:
        """Probe until cancelled; ``changed`` hears each verdict that the thresholds allow."""
        period = float(self._spec.get("periodSeconds", 10))
        thresholds = {
            True: int(self._spec.get("successThreshold", 1)),
            False: int(self._spec.get("failureThreshold", 3)),
        }
        loop = asyncio.get_running_loop()
        due = loop.time() + float(self._spec.get("initialDelaySeconds", 0))
        last: bool | None = None
        count = 0
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due = max(due + period, loop.time())
            good = await self._good()
            count = count + 1 if good == last else 1
            last = good
            if count >= thresholds[good]:
                changed(good)

    async def _good(self) -> bool:
        try:
            failure = await asyncio.wait_for(self._check(), self._timeout)
        except TimeoutError:
            failure = f"timed out after {self._timeout:g} s"
        except (aiohttp.ClientError, OSError, LookupError) as error:
            failure = str(error) or type(error).__name__
        if failure is not None:
            self.last_failure = failure
        return failure is None

    async def _check(self) -> str | None:
        """None when the probe passes, else what was wrong."""
        if get := self._spec.get("httpGet"):
            return await self._http(get)
        if connect := self._spec.get("tcpSocket"):
            port = port_number(self._container, connect["port"])
            host = connect.get("host") or self._address
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return None
        if run := self._spec.get("exec"):
            return await self._exec(run["command"])
        return f"the runner does not know the probe {sorted(self._spec)}"

    async def _http(self, get: dict[str, Any]) -> str | None:
        scheme = get.get("scheme", "HTTP").lower()
        port = port_number(self._container, get["port"])
        url = f"{scheme}://{get.get('host') or self._address}:{port}{get.get('path', '/')}"
        headers = {one["name"]: one["value"] for one in get.get("httpHeaders", ())}
        async with self._session.get(
            url, headers=headers, ssl=False, allow_redirects=False
        ) as answer:
            if 200 <= answer.status < 400:
                return None
            return f"HTTP probe failed with statuscode: {answer.status}"

    async def _exec(self, command: list[str]) -> str | None:
        process = await asyncio.create_subprocess_exec(
            *self._process.enter(),
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            raise
        return None if process.returncode == 0 else said.decode(errors="replace")[-500:]
