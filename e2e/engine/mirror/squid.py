"""A real squid as the forward proxy of a mirror: what ``spec.proxyURL`` meets in the field.

Without squid, ``why_missing`` says how to install it; tests skip with that line.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.engine.mirror.served import served
from e2e.engine.ports import free_port

__all__ = ["Squid", "squid_proxy", "why_missing"]

_CONFIG: Final = """\
http_port 127.0.0.1:{port}
acl refused dstdomain refused.bank.example
http_access deny refused
http_access allow all
cache deny all
pid_filename none
access_log stdio:{folder}/access.log
cache_log {folder}/cache.log
coredump_dir {folder}
shutdown_lifetime 0 seconds
connect_timeout 2 seconds
read_timeout {patience} seconds
"""


@dataclass(frozen=True, slots=True)
class Squid:
    """A proxy that runs."""

    url: str
    log: Path

    def requests(self) -> list[str]:
        """Method and target of each request that it ended."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [" ".join(line.split()[5:7]) for line in lines]


def why_missing() -> str | None:
    """One line that says what to install, or ``None`` when squid is there."""
    return None if _binary() else "squid is not installed: apt-get install squid"


@contextmanager
def squid_proxy(patience: int = 900) -> Iterator[Squid]:
    """Run one with its files in a folder of its own; as root it writes there as another user.

    A server that is silent for longer than ``patience`` seconds is cut off.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="escadre-squid-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        config = folder / "squid.conf"
        config.write_text(_CONFIG.format(port=port, folder=folder, patience=patience))
        command = [_binary() or "squid", "-N", "-f", str(config)]
        with served(command, port, folder / "said.log", os.environ):
            yield Squid(f"http://127.0.0.1:{port}", folder / "access.log")


def _binary() -> str | None:
    return shutil.which("squid", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
