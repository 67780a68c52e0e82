"""A server program of a test, from its start until it listens to its end by its pid."""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from e2e.cluster.wait import wait_for

__all__ = ["served"]

_START_SECONDS = 30.0


@contextmanager
def served(
    command: list[str], port: int, log: Path, environment: Mapping[str, str]
) -> Iterator[None]:
    """Run ``command`` while the block lasts, once it listens on ``port`` of loopback."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=dict(environment)
        )
    try:
        wait_for(
            lambda: _listens(process, port),
            _START_SECONDS,
            f"{command[0]} to listen",
            lambda: log.read_text(errors="replace")[-2000:],
        )
        yield
    finally:
        process.terminate()
        process.wait()


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"it ended with {process.returncode}")
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True
