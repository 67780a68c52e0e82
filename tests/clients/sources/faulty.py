"""A real HTTP server with files in memory and faults on order, for the tests of the data path.

``server.faults[path]`` lists faults for the next requests of that path, one each; with the list
used up the server behaves. ``server.log`` holds every request as it came.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from typing_extensions import override

from escadre.clients.sources.guard import guard_of

__all__ = [
    "LOCAL",
    "Answer",
    "Fault",
    "Faulty",
    "Logged",
    "faulty",
    "flip",
    "refuse",
    "reset",
    "stall",
]

LOCAL = guard_of(["127.0.0.0/8"], [])  # for mirrors of tests


@dataclass(slots=True)
class Answer:
    """What is about to be sent; a fault changes it."""

    status: int
    headers: dict[str, str]
    body: bytes | memoryview
    cut: int | None = None  # close the connection after so many bytes of the body
    hold: threading.Event | None = None  # with cut: wait for this before closing
    late: threading.Event | None = None  # wait for this between head and body


Fault = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Logged:
    """A request as it came."""

    path: str
    range: str | None
    headers: Mapping[str, str]
    port: int  # of the client: one for each connection


@dataclass
class Faulty:
    """The server's world."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    always: dict[str, Fault] = field(default_factory=dict)
    everything: Fault | None = None  # done to each answer
    log: list[Logged] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    ranges: bool = True
    pace: float = 0.0  # seconds between pieces of a body, also of one that is being sent
    most: int = 1000  # requests at once; one more is refused
    busy: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self) -> list[str]:
        return [entry.path for entry in self.log]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # heads and bodies are written apart
    timeout = 20

    def do_GET(self) -> None:
        world = cast("_Server", self.server).world
        asked = self.headers.get("Range")
        port = self.client_address[1]
        world.log.append(Logged(self.path, asked, dict(self.headers.items()), port))
        answer = _plain(world, self.path, asked)
        for fault in (world.everything, world.always.get(self.path)):
            if fault:
                fault(answer)
        if queue := world.faults.get(self.path):
            queue.pop(0)(answer)
        with world.lock:
            world.busy += 1
            crowded = world.busy > world.most
        try:
            self._send(Answer(503, {}, b"crowded") if crowded else answer, world)
        finally:
            with world.lock:
                world.busy -= 1

    def _send(self, answer: Answer, world: Faulty) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.late:
            answer.late.wait(20)
        body = memoryview(answer.body)[: answer.cut]
        step = 1 << 20
        for at in range(0, len(body), step):
            self.wfile.write(body[at : at + step])
            if world.pace:
                time.sleep(world.pace)
        if answer.cut is not None:
            if answer.hold:
                answer.hold.wait(20)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    @override
    def log_message(self, *_: Any) -> None:
        """Silent."""


def _plain(world: Faulty, path: str, asked: str | None) -> Answer:
    content = world.files.get(path)
    if content is None:
        return Answer(404, {}, b"no such file")
    if not asked or not world.ranges:
        return Answer(200, {}, content)
    first, last = (int(number) for number in asked.removeprefix("bytes=").split("-"))
    if first >= len(content):
        return Answer(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
    last = min(last, len(content) - 1)
    headers = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
    return Answer(206, headers, memoryview(content)[first : last + 1])


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, world: Faulty) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.world = world
        self.sockets: set[socket.socket] = set()

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        self.sockets.add(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        self.sockets.discard(request)
        super().shutdown_request(request)

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""

    def end(self) -> None:
        self.shutdown()
        for open_socket in list(self.sockets):
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.server_close()


@contextmanager
def faulty(files: Mapping[str, bytes] | None = None) -> Iterator[Faulty]:
    """Serve ``files`` (path on the server → content) until the block ends."""
    world = Faulty(files=dict(files or {}))
    server = _Server(world)
    world.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        world.released.set()
        server.end()
        thread.join()


def flip(at: int) -> Fault:
    """Change one byte of the body, keeping its length."""

    def fault(answer: Answer) -> None:
        body = bytearray(answer.body)
        body[at] ^= 1
        answer.body = bytes(body)

    return fault


def refuse(status: int, headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with this status instead."""

    def fault(answer: Answer) -> None:
        answer.status, answer.headers, answer.body = status, dict(headers or {}), b"refused"

    return fault


def reset(after: int) -> Fault:
    """Close the connection after so many bytes of the body."""

    def fault(answer: Answer) -> None:
        answer.cut = after

    return fault


def stall(after: int, until: threading.Event) -> Fault:
    """Send so many bytes of the body, then nothing."""

    def fault(answer: Answer) -> None:
        answer.cut, answer.hold = after, until

    return fault
