"""The one page of a kubelet that a person misses: ``kubectl logs``, also with ``--follow``.

Served on the kubelet's port at every node address, to the API server's certificate only. There is
no exec and no port-forward.
"""

import asyncio
import ssl
from pathlib import Path

from aiohttp import web

from e2e.cluster.addresses import KUBELET_PORT
from e2e.cluster.folders import StateFolder

__all__ = ["serve_logs"]

_POLL_SECONDS = 0.3
_CHUNK = 1 << 16


def _log_file(state: StateFolder, request: web.Request) -> Path:
    values = request.match_info
    folders = sorted(state.pods.glob(f"{values['namespace']}_{values['pod']}_*"))
    if not folders:
        raise web.HTTPNotFound(text=f"pod {values['pod']} does not run here\n")
    return folders[-1] / f"{values['container']}.log"


def _tail(path: Path, lines: int | None) -> bytes:
    data = path.read_bytes() if path.exists() else b""
    if lines is None:
        return data
    return b"".join(data.splitlines(keepends=True)[-lines:]) if lines else b""


async def serve_logs(state: StateFolder) -> web.AppRunner:
    """Serve container logs until the returned runner is cleaned up."""

    async def logs(request: web.Request) -> web.StreamResponse:
        path = _log_file(state, request)
        wanted = request.query.get("tailLines")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        first = _tail(path, int(wanted) if wanted else None)
        await response.write(first)
        position = path.stat().st_size if path.exists() else 0
        while request.query.get("follow") == "true" and path.exists():
            with path.open("rb") as log:
                log.seek(position)
                fresh = log.read(_CHUNK)
            position += len(fresh)
            if fresh:
                await response.write(fresh)
            else:
                await asyncio.sleep(_POLL_SECONDS)
        await response.write_eof()
        return response

    application = web.Application()
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", logs)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    pki = state.certificates
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    # All addresses of the cluster's own network namespace: it holds the address of every node.
    await web.TCPSite(runner, "0.0.0.0", KUBELET_PORT, ssl_context=context).start()
    return runner
