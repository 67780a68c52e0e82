"""The mirror's HTTP server: Hugging Face's routes and a static tree over one folder, with faults.

``with MirrorServer(root) as mirror`` runs it in threads (tests); ``__main__`` runs it as a
process. Routes: the hub's ``/api/models/…`` and ``/{repo}/resolve/{rev}/{path}``, the static
``/{repo}/{commit}/{path}``, manifests under ``/manifests/`` and ``/escadre-manifests/``, and the
control route ``/_faults`` (GET, POST one fault, DELETE all).
"""

import socket
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

from e2e.engine.mirror.faults import FaultBoard
from e2e.engine.mirror.handler import Handler, Seen
from e2e.engine.mirror.tree import Tree

__all__ = ["MirrorServer", "Seen"]


class MirrorServer(ThreadingHTTPServer):
    """A mirror over ``root``; ``url`` is where it listens, ``faults`` what it does wrong."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 256

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        page_size: int = 1000,
        rate: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.tree = Tree(root)
        self.faults = FaultBoard()
        self.token = token
        self.page_size = page_size
        self.rate = rate  # bytes a second for each connection, faults or not
        self.seen: list[Seen] = []
        self.resets: set[int] = set()  # connections (by id) that must end with RST
        self._verbose = verbose
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        super().__init__((host, port), Handler)

    @property
    def url(self) -> str:
        """Base URL, for HF_ENDPOINT and for ``ModelMirror.spec.url``."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def manifests_url(self) -> str:
        """For ``ModelMirror.spec.manifestsURL``."""
        return f"{self.url}/manifests"

    def note(self, seen: Seen) -> None:
        """Remember one answered request."""
        with self._lock:
            self.seen.append(seen)
        if self._verbose:
            asked = f" {seen.range}" if seen.range else ""
            print(f"{seen.status} {seen.method} {seen.path}{asked} {seen.sent} B", flush=True)

    @override
    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving, cut what is open, and wait for the threads."""
        self.shutdown()
        self.faults.clear()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it ended by itself
        self.server_close()
        if self._thread is not None:
            self._thread.join()

    # The three methods below are socketserver's hooks.

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the connection's thread."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        """End a connection: politely, or by closing it unread so that the kernel sends RST."""
        with self._lock:
            self._open.discard(request)
            reset = id(request) in self.resets
            self.resets.discard(id(request))
        if reset:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong unless it is only that the client left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
