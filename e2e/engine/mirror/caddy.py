"""A real Caddy over a mirror's folder, as its file server is usually configured.

Without Caddy, ``why_missing`` says how to install it; tests skip with that line.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = ["caddy_mirror", "why_missing"]

_CONFIG: Final = """\
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    root * "{root}"
    @stranger not header Authorization "Bearer {token}"
    respond @stranger 401
    encode gzip zstd
    file_server
}}
"""


def why_missing() -> str | None:
    """One line that says what to install, or ``None`` when Caddy is there."""
    return None if _binary() else "caddy is not installed: apt-get install caddy"


@contextmanager
def caddy_mirror(root: Path, work: Path, *, token: str) -> Iterator[str]:
    """Serve ``root`` to who has the token; yields the URL."""
    port = free_port()
    config = work / "Caddyfile"
    config.write_text(_CONFIG.format(port=port, root=root.absolute(), token=token))
    command = [_binary() or "caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with served(command, port, work / "caddy.log", {"HOME": str(work)}):
        yield f"http://127.0.0.1:{port}"


def _binary() -> str | None:
    return shutil.which("caddy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
