"""Real servers on loopback for bench-pull: nginx as mirror and cache, squid as cache."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.bench.pull.sample import COMMIT
from e2e.engine.ports import free_port

__all__ = ["Server", "cache", "mirror", "squid"]

_PATH: Final = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
_NGINX: Final = """\
daemon off; master_process off; worker_processes 1; user root;
pid "{folder}/nginx.pid"; error_log "{folder}/error.log";
events {{ worker_connections 1024; }}
http {{
    log_format counted '$request_uri $status $body_bytes_sent';
    access_log "{folder}/access.log" counted;
    client_body_temp_path "{folder}/body"; proxy_temp_path "{folder}/proxy";
    fastcgi_temp_path "{folder}/fastcgi"; uwsgi_temp_path "{folder}/uwsgi";
    scgi_temp_path "{folder}/scgi";
    default_type application/json; sendfile on; tcp_nopush on;
    limit_conn_zone $binary_remote_addr zone=perip:1m;
    {http}
    server {{ listen 127.0.0.1:{port} backlog=1024; {server} }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def sent(self) -> int:
        """Bytes of bodies that it sent until now."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(int(line.rpartition(" ")[2]) for line in lines)


@contextmanager
def mirror(root: Path, folder: Path, rules: str = "") -> Iterator[Server]:
    """Nginx over a folder: a plain tree, and a hub's routes for huggingface_hub."""
    hub = (
        f'location ~ "^/org/model/resolve/{COMMIT}/(.*)$" '
        f'{{ alias "{root}/org/model/{COMMIT}/$1"; add_header X-Repo-Commit {COMMIT}; }}'
    )
    with _nginx(folder, "", f'root "{root}"; {rules} {hub}') as server:
        yield server


@contextmanager
def cache(behind: Server, folder: Path, *, lock: bool) -> Iterator[Server]:
    """A cold nginx cache before a mirror, which fills itself for each request."""
    zone = f'proxy_cache_path "{folder}/cache" keys_zone=cold:10m max_size=8g;'
    words = "on" if lock else "off"
    rules = (
        f"location / {{ proxy_pass {behind.url}; proxy_cache cold; proxy_cache_lock {words}; "
        "proxy_cache_valid 200 1h; proxy_http_version 1.1; proxy_max_temp_file_size 0; }"
    )
    with _nginx(folder, zone, rules) as server:
        yield server


@contextmanager
def squid(behind: Server, folder: Path, *, whole: bool) -> Iterator[Server]:
    """A cold squid before a mirror; ``whole``: it reads a file from its beginning for a range."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    port = free_port()
    limit = "none" if whole else "0"
    text = f"""
http_port 127.0.0.1:{port} accel defaultsite=127.0.0.1 no-vhost
cache_peer 127.0.0.1 parent {behind.port} 0 no-query originserver
http_access allow all
pid_filename none
access_log none
cache_log {folder}/cache.log
coredump_dir {folder}
cache_mem 64 MB
cache_dir ufs {folder}/cache 8000 16 16
maximum_object_size 8 GB
range_offset_limit {limit}
shutdown_lifetime 0 seconds
"""
    config = folder / "squid.conf"
    config.write_text(text)
    binary = shutil.which("squid", path=_PATH)
    if binary is None:
        raise RuntimeError("squid is not installed: apt-get install squid")
    subprocess.run([binary, "-N", "-z", "-f", str(config)], check=True, capture_output=True)
    with _running([binary, "-N", "-f", str(config)], port):
        yield Server(port, folder / "none")


@contextmanager
def _nginx(folder: Path, http: str, server: str) -> Iterator[Server]:
    folder.mkdir(parents=True)
    binary = shutil.which("nginx", path=_PATH)
    if binary is None:
        raise RuntimeError("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, port=port, http=http, server=server))
    with _running([binary, "-p", str(folder), "-e", f"{folder}/e", "-c", str(config)], port):
        yield Server(port, folder / "access.log")


@contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not listen on port {port}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
