"""What an engine's pod is given to leave without losing a request, on uvicorn's terms."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from escadre.clients.engine import IN_FLIGHT
from escadre.mounted import escadre_drain
from escadre.mounted.escadre_drain import Drain

Message = dict[str, Any]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(escadre_drain, "MARKER", tmp_path / "marker")
    monkeypatch.setattr(escadre_drain, "LABEL", tmp_path / "serving")
    return tmp_path


async def routes(_: Message, __: Any, send: Any) -> None:
    headers = [(b"content-type", b"text/plain"), (b"connection", b"keep-alive")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"answered"})


def asked(drain: Drain, path: str, method: str = "POST", port: int = 0) -> list[Message]:
    """What goes out for one request; ``port`` is its client's, 0: on a socket without one."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    client = ("10.0.0.7", port) if port else None
    scope = {"type": "http", "method": method, "path": path, "client": client}
    asyncio.run(drain(scope, None, send))
    return sent


def closes(sent: list[Message]) -> bool:
    return [value for key, value in sent[0]["headers"] if key == b"connection"] == [b"close"]


@pytest.mark.parametrize(
    ("marker", "label", "status", "closed"),
    [
        pytest.param(False, None, 200, False, id="nobody told it anything"),
        pytest.param(False, "true", 200, False, id="in the Service"),
        pytest.param(False, "", 200, True, id="out of the Service, and not to be restarted for it"),
        pytest.param(True, "true", 503, True, id="about to end"),
        pytest.param(True, None, 503, True, id="about to end, without a label"),
    ],
)
def test_what_it_answers(
    files: Path, marker: bool, label: str | None, status: int, closed: bool
) -> None:
    drain = Drain(routes)
    if marker:
        escadre_drain.MARKER.touch()
    if label is not None:
        (files / "serving").write_text(label)
    health = asked(drain, "/health", "GET")
    assert (health[0]["status"], closes(health)) == (status, closed)
    for method, path in (("POST", "/v1/chat/completions"), ("GET", "/v1/models")):
        answer = asked(drain, path, method)
        assert (answer[0]["status"], answer[1]["body"]) == (200, b"answered")
        assert closes(answer) == closed
        assert (b"content-type", b"text/plain") in answer[0]["headers"]


def test_a_container_that_starts_again_forgets_the_marker() -> None:
    escadre_drain.MARKER.touch()
    assert asked(Drain(routes), "/health", "GET")[0]["status"] == 200


def test_health_says_what_is_in_flight_until_it_is_answered_or_failed() -> None:
    seen: list[Message] = []

    async def failing(*_: Any) -> None:
        seen.append(json.loads((await health())[1]["body"]))
        raise ConnectionResetError

    drain = Drain(failing)

    async def health() -> list[Message]:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/health", "client": None}
        await drain(scope, None, send)
        return sent

    escadre_drain.MARKER.touch()
    with pytest.raises(ConnectionResetError):
        asked(drain, "/v1/completions")
    seen.append(json.loads(asked(drain, "/health", "GET")[1]["body"]))
    assert [one["inFlight"] for one in seen] == [1, 0]
    assert seen[0]["quietSeconds"] == 0
    assert 0 <= seen[1]["quietSeconds"] < 60


def test_beside_the_metrics_it_tells_what_is_in_flight() -> None:
    seen: list[Any] = []

    async def told(path: str) -> Any:
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        drain.app = routes
        await drain({"type": "http", "method": "GET", "path": path, "client": None}, None, send)
        return dict(sent[0]["headers"]).get(escadre_drain.IN_FLIGHT, b"")

    async def holding(*_: Any) -> None:
        seen.append(await told("/metrics"))

    drain = Drain(holding)
    asked(drain, "/v1/completions")
    seen += [asyncio.run(told(path)) for path in ("/metrics", "/v1/models")]
    assert seen == [b"1", b"0", b""]
    assert escadre_drain.IN_FLIGHT.decode() == IN_FLIGHT, "as it is read"


def test_what_is_no_request_is_passed_on_as_it_is() -> None:
    seen: list[Any] = []

    async def lifespan(*call: Any) -> None:
        seen.append(call)

    escadre_drain.MARKER.touch()
    drain, call = Drain(lifespan), ({"type": "lifespan"}, object(), object())
    asyncio.run(drain(*call))
    assert seen == [call]


class Clock:
    """Time passes only where the hook sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(escadre_drain, "time", found)
    return found


def test_a_connection_that_is_old_ends_with_an_answer_and_begins_anew(clock: Clock) -> None:
    drain = Drain(routes)

    def ended(port: int, at: float) -> bool:
        clock.now = 100.0 + at
        return closes(asked(drain, "/v1/completions", port=port))

    age = escadre_drain.AGE_SECONDS
    assert [ended(4001, at) for at in (0, 10, age - 0.1)] == [False] * 3
    assert not ended(4002, age - 0.1)
    assert ended(4001, age)
    assert not ended(4001, age), "the port of a new connection is another connection"
    assert ended(4002, 2 * age)


def test_what_only_looks_keeps_its_connection(clock: Clock) -> None:
    drain = Drain(routes)
    for at in (0.0, 1000.0):
        clock.now = at
        assert not closes(asked(drain, "/metrics", "GET", port=4001))
        assert not closes(asked(drain, "/v1/completions", port=0)), "nobody to tell apart"


def test_connections_that_their_clients_gave_up_are_forgotten(clock: Clock) -> None:
    drain = Drain(routes)
    for port in range(1, 3 * escadre_drain.MOST_CONNECTIONS):
        clock.now += escadre_drain.AGE_SECONDS / escadre_drain.MOST_CONNECTIONS
        asked(drain, "/v1/completions", port=port)
    assert len(drain.opened) <= escadre_drain.MOST_CONNECTIONS + 1


Script = list[tuple[float, object]]


@pytest.mark.parametrize(
    ("script", "why", "waited"),
    [
        pytest.param([(0, 99.0)], "nothing is in flight", 6.5, id="idle: kept connections close"),
        pytest.param(
            [(0, 0.0), (20, 0.0), (20.5, 5.5), (21.5, 6.5)],
            "nothing is in flight",
            21.5,
            id="a request of 20 s, and its connection",
        ),
        pytest.param([(0, 0.0)], "the time is over", 60, id="requests without an end"),
        pytest.param([(0, TimeoutError())], "the time is over", 60, id="a hung engine"),
        pytest.param(
            [(0, TimeoutError()), (30, 99.0)], "nothing is in flight", 30, id="a busy engine"
        ),
        pytest.param([(0, ConnectionRefusedError())], "nothing listens", 0, id="it still loads"),
        pytest.param([(0, 0.0), (9, ConnectionRefusedError())], "nothing listens", 9, id="it died"),
    ],
)
def test_the_hook_waits_until_nobody_has_a_connection(
    script: Script, why: str, waited: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    def ask(_: int) -> object:
        said = [value for since, value in script if clock.now - 100 >= since][-1]
        if isinstance(said, Exception):
            raise said
        return {"inFlight": 0, "quietSeconds": said}

    monkeypatch.setattr(escadre_drain, "time", clock)
    monkeypatch.setattr(escadre_drain, "_ask", ask)
    assert escadre_drain.leave(8000, 60) == why
    assert clock.now - 100 == waited
    assert escadre_drain.MARKER.exists()
