"""A real HAProxy in front of a mirror: it checks the token, and speaks to the server behind it.

Without HAProxy, ``why_missing`` says how to install it; tests skip with that line.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = ["haproxy_front", "why_missing"]

_CONFIG: Final = """\
global
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server {patience}ms
frontend mirror
    bind 127.0.0.1:{port}
    {rights}
    default_backend behind
backend behind
    http-request del-header Authorization
    compression algo gzip
    server one {behind}
"""


def why_missing() -> str | None:
    """One line that says what to install, or ``None`` when HAProxy is there."""
    return None if _binary() else "haproxy is not installed: apt-get install haproxy"


@contextmanager
def haproxy_front(
    behind: str, work: Path, *, token: str | None = None, patience: float = 60.0
) -> Iterator[str]:
    """Serve what ``behind`` (host:port, plain http) serves, to who has the token; yields the URL.

    A server behind it that is silent for longer than ``patience`` seconds is cut off, in the middle
    of a body too.

    It compresses what it may, as shared front ends are configured: bytes of no known type and
    ranges it leaves alone.
    """
    port = free_port()
    config = work / "haproxy.cfg"
    rights = f'unless {{ req.hdr(Authorization) -m str "Bearer {token}" }}'
    deny = f"http-request deny deny_status 401 {rights}" if token else ""
    waits = round(patience * 1000)
    config.write_text(_CONFIG.format(port=port, behind=behind, rights=deny, patience=waits))
    command = [_binary() or "haproxy", "-db", "-f", str(config)]
    with served(command, port, work / "haproxy.log", os.environ):
        yield f"http://127.0.0.1:{port}"


def _binary() -> str | None:
    return shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
