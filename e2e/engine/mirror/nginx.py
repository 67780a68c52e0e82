"""A real nginx over a mirror's folder: what the ``http`` adapter meets in the field.

``with nginx_mirror(root) as url`` starts the nginx of PATH with a configuration of its own in a
temporary folder, on one loopback port, and ends it by its pid. Without nginx, ``why_missing``
says how to install it; tests skip with that line.
"""

import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from e2e.engine.ports import free_port

__all__ = ["configuration", "nginx_mirror", "why_missing"]

_START_SECONDS: Final = 60.0
_TEMPLATE: Final = """\
daemon off;
master_process off;
worker_processes 1;
pid "{folder}/nginx.pid";
error_log "{folder}/error.log";
events {{ worker_connections 256; }}
http {{
    access_log "{folder}/access.log";
    client_body_temp_path "{folder}/body";
    proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi";
    uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    server {{
        listen {host}:{port};
        root "{root}";
        autoindex off;
        {rights}
    }}
}}
"""


def why_missing() -> str | None:
    """One line that says what to install, or ``None`` when nginx is there."""
    if _binary() is None:
        return "nginx is not installed: apt-get install nginx-light"
    return None


def configuration(
    root: Path, folder: Path, *, host: str, port: int, token: str | None = None
) -> str:
    """The text of nginx.conf; with a token, requests without it get 401."""
    rights = ""
    if token is not None:
        rights = f'if ($http_authorization != "Bearer {token}") {{ return 401; }}'
    return _TEMPLATE.format(
        root=root.absolute(), folder=folder, host=host, port=port, rights=rights
    )


@contextmanager
def nginx_mirror(
    root: Path, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> Iterator[str]:
    """Serve ``root`` and yield the URL."""
    binary = _binary()
    if binary is None:
        raise RuntimeError(why_missing())
    port = port or free_port(host)
    with tempfile.TemporaryDirectory(prefix="escadre-nginx-") as name:
        folder = Path(name)
        config = folder / "nginx.conf"
        config.write_text(configuration(root, folder, host=host, port=port, token=token))
        command = [binary, "-p", name, "-e", f"{name}/error.log", "-c", str(config)]
        process = subprocess.Popen(command)
        try:
            _wait_until_up(process, host, port, folder / "error.log")
            yield f"http://{host}:{port}"
        finally:
            process.terminate()
            process.wait()


def _binary() -> str | None:
    return shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")


def _wait_until_up(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        connection = http.client.HTTPConnection(host, port, timeout=1)
        try:
            connection.request("GET", "/")
            connection.getresponse()
        except OSError:
            time.sleep(0.02)
        else:
            return
        finally:
            connection.close()
    detail = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    raise RuntimeError(f"nginx did not start on {host}:{port}: {detail or process.returncode}")
