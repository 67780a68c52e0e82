"""A port for a program that cannot choose one itself. Used by tests, on loopback.

The kernel gives the ports of its own range to any connection that anybody opens, also to one that
was free a moment ago. So it is taken from below that range, and two processes begin at different
places.
"""

import itertools
import os
import socket
from pathlib import Path

__all__ = ["free_port"]

_FIRST = 20_000
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_COUNT = itertools.count()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that no connection is given."""
    last = int(_RANGE.read_text().split()[0])
    span = max(last - _FIRST, 1)
    for _ in range(span):
        port = _FIRST + (os.getpid() * 61 + next(_COUNT)) % span
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port of {host} from {_FIRST} to {last} is free")
