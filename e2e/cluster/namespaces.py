"""Sockets in another network namespace, made by this process without going there to stay.

A socket belongs to the namespace it was made in. So a test on the host can talk to Service and
pod addresses of a cluster: it enters the namespace for one system call, in its own thread, and
comes back before anything else runs. Used by ``Cluster``.
"""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["inside", "socket_factory"]

_CLONE_NEWNET = 0x40000000


def _enter(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"entering a network namespace: {os.strerror(number)}")


@contextmanager
def inside(namespace: Path) -> Iterator[None]:
    """Be in a network namespace (a /proc/PID/ns/net) for a moment; never await in here."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(other)
        finally:
            os.close(other)
        try:
            yield
        finally:
            _enter(own)
    finally:
        os.close(own)


def socket_factory(namespace: Path) -> Any:
    """A ``socket_factory`` for aiohttp's connector whose sockets live in ``namespace``."""

    def make(address_info: Any) -> socket.socket:
        family, kind, protocol, _, _ = address_info
        with inside(namespace):
            made = socket.socket(family=family, type=kind, proto=protocol)
        made.setblocking(False)
        return made

    return make
