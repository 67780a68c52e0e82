"""How an engine leaves without losing a request. Mounted into its pod; standard library only.

As ``--middleware escadre_drain.Drain`` in vLLM: every answer closes its connection while the pod is
out of the Service or the marker is there; with the marker, /health answers 503 with what is in
flight. Otherwise an answer closes a connection that is old: a Service chooses a replica for each
new connection only, so who keeps one for ever never comes to a replica that was added.
Beside the metrics it tells how many requests it has let in: an engine that hangs before it has told
of them looks idle there.

As a program, ``escadre_drain.py PORT SECONDS``, which is the pod's preStop hook: sets the marker,
and returns when nothing can come any more.
"""

import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

MARKER = Path(os.environ.get("TMPDIR", "/tmp")) / "escadre-draining"  # noqa: S108 - the pod's own
# The label that the Service selects on, which the kubelet writes beside this file, "" without it.
LABEL = Path(__file__).with_name("serving")
# After so long the server closes a connection that nobody uses, which until then may be used again.
KEPT_SECONDS = float(os.environ.get("VLLM_HTTP_TIMEOUT_KEEP_ALIVE", "5"))
# A connection that requests came on for so long ends with the next answer.
AGE_SECONDS = 30.0
MOST_CONNECTIONS = 4096
IN_FLIGHT = b"escadre-in-flight"


class Drain:
    """ASGI middleware.

    ``in_flight``: requests with a body that came and were not answered yet. ``opened``: when the
    first of them came on each connection, by its client's address.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.in_flight = 0
        self.last = time.monotonic()
        self.opened: dict[Any, float] = {}
        MARKER.unlink(missing_ok=True)  # of a container that ran here before

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass on, and count."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] == "/health" and MARKER.exists():
            await self._tell(send)
        elif scope["method"] != "POST":
            await self.app(scope, receive, _closing(send, _leaving, self._beside(scope["path"])))
        else:
            self.in_flight += 1
            try:
                client = scope.get("client")
                await self.app(scope, receive, _closing(send, lambda: self._ends(client)))
            finally:
                self.in_flight -= 1
                self.last = time.monotonic()

    def _beside(self, path: str) -> list[Any]:
        """Headers that an answer to a GET gets."""
        return [(IN_FLIGHT, str(self.in_flight).encode())] if path == "/metrics" else []

    def _ends(self, client: Any) -> bool:
        """Whether an answer is the last on its connection."""
        if _leaving():
            return True
        if not client:
            return False
        now, client = time.monotonic(), tuple(client)
        if len(self.opened) > MOST_CONNECTIONS:  # of clients that closed theirs
            self.opened = {one: at for one, at in self.opened.items() if now - at < AGE_SECONDS}
        if now - self.opened.setdefault(client, now) < AGE_SECONDS:
            return False
        del self.opened[client]
        return True

    async def _tell(self, send: Any) -> None:
        quiet = 0.0 if self.in_flight else time.monotonic() - self.last
        body = json.dumps({"inFlight": self.in_flight, "quietSeconds": quiet}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _leaving() -> bool:
    try:
        return MARKER.exists() or LABEL.read_text() != "true"
    except OSError:
        return False


def _closing(send: Any, ends: Any, more: Any = ()) -> Any:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), *more]
            if ends():
                headers = [one for one in headers if one[0].lower() != b"connection"]
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        await send(message)

    return sent


def leave(port: int, seconds: float) -> str:
    """Set the marker and wait: until nobody has a connection left, or so many seconds.

    Returns why it waits no longer. The engine's own running + waiting would not do: a request that
    is read or whose answer is written is in neither, nor one still to come on a kept connection.
    """
    MARKER.touch()
    began = time.monotonic()
    while (waited := time.monotonic() - began) < seconds:
        try:
            found = _ask(port)
        except ConnectionRefusedError:
            return "nothing listens"
        except (OSError, http.client.HTTPException, ValueError):
            found = None  # busy or hung
        if found is not None and min(found["quietSeconds"], waited) > KEPT_SECONDS + 1:
            return "nothing is in flight"
        time.sleep(0.5)
    return "the time is over"


def _ask(port: int) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


if __name__ == "__main__":
    sys.stdout.write(leave(int(sys.argv[1]), float(sys.argv[2])) + "\n")
