"""A replica leaves without losing a request, with what its pod is given: seen on both engines."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.engine.engines import Kind, Running, engine
from tests.engine.talking import Answer, Talk

from escadre.mounted import escadre_drain
from escadre.render.engine import MIDDLEWARE, MIDDLEWARE_FILE

_FLAGS = ("--max-model-len=8192", "--shutdown-timeout=60")
_NAMED = "--middleware=escadre_drain.Drain"


@dataclass(slots=True)
class Client:
    """Asks on one connection, without a pause, until an answer says that it is the last on it."""

    talk: Talk
    answers: list[Answer] = field(default_factory=list)

    def run(self) -> None:
        kept = self.talk.connection()
        kept.connect()
        kept.auto_open = False  # a closed connection is an error, not a new one
        while True:
            answer = self.talk.chat(kept, max_tokens=4, ignore_eos=True)
            self.answers.append(answer)
            if answer.status != 200 or answer.headers.get("connection") == "close":
                break
        kept.close()


def answered(answer: Answer, tokens: int) -> bool:
    """With a reason and all its tokens."""
    if answer.status != 200:
        return False
    body = answer.json()
    reason = body["choices"][0]["finish_reason"]
    return (reason, body["usage"]["completion_tokens"]) == ("length", tokens)


@contextmanager
def mounted(kind: Kind, model: Path, folder: Path) -> Iterator[Running]:
    """An engine with the files that a pod mounts, in the Service."""
    (folder / MIDDLEWARE_FILE).write_text(MIDDLEWARE)
    (folder / "serving").write_text("true")
    path = ":".join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    with engine(kind, model, *_FLAGS, _NAMED, environment={"PYTHONPATH": path}) as running:
        running.wait_healthy()
        yield running


@contextmanager
def asking(running: Running, count: int) -> Iterator[list[Client]]:
    """So many clients, each with an answer already; at the end all of them were sent away."""
    clients = [Client(Talk(running.url)) for _ in range(count)]
    threads = [threading.Thread(target=one.run, daemon=True) for one in clients]
    for thread in threads:
        thread.start()
    running.wait(lambda: all(len(one.answers) > 1 for one in clients), "each to have answers")
    yield clients
    for thread in threads:
        thread.join(running.kind.seconds)
        assert not thread.is_alive()


def hook(running: Running, folder: Path, seconds: int) -> subprocess.Popen[str]:
    """The pod's preStop, in the engine's own environment."""
    port = running.url.rsplit(":", 1)[1]
    command = [sys.executable, str(folder / MIDDLEWARE_FILE), port, str(seconds)]
    environment = {"TMPDIR": str(running.log.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_clients_that_never_pause_on_a_kept_connection_lose_nothing(
    kind: Kind, model: Path, tmp_path: Path
) -> None:
    with mounted(kind, model, tmp_path) as running:
        talk, long = Talk(running.url), Client(Talk(running.url))
        with asking(running, 3) as clients:
            waits = threading.Thread(
                target=lambda: long.answers.append(long.talk.chat(max_tokens=1000, ignore_eos=True))
            )
            waits.start()
            leaving = hook(running, tmp_path, 120)
        waits.join(running.kind.seconds)
        # New connections are served while the Service still sends them, once each.
        late = talk.chat(max_tokens=4, ignore_eos=True)
        assert answered(late, 4)
        assert late.headers["connection"] == "close"
        assert running.health() == 503
        began = time.monotonic()
        said, _ = leaving.communicate(timeout=running.kind.seconds)
        assert (leaving.returncode, said) == (0, "nothing is in flight\n")
        assert time.monotonic() - began > 5, "as long as an unused connection is kept"
        running.told()
        assert running.end() == 0
        assert all(answered(one, 1000) for one in long.answers), long.answers
        lost = [one for client in clients for one in client.answers if not answered(one, 4)]
        assert lost == []


def test_out_of_the_service_it_sends_its_clients_away_and_stays_healthy(
    kind: Kind, model: Path, tmp_path: Path
) -> None:
    with mounted(kind, model, tmp_path) as running:
        with asking(running, 2) as clients:
            (tmp_path / "serving").write_text("")
        assert all(answered(one, 4) for client in clients for one in client.answers)
        assert running.health() == 200
        (tmp_path / "serving").write_text("true")
        assert "connection" not in Talk(running.url).get("/v1/models").headers


@pytest.mark.parametrize("named", ["nowhere.Drain", "escadre_drain.Nothing", "escadre_drain._ask"])
def test_a_middleware_that_cannot_be_loaded_ends_the_start(
    kind: Kind, model: Path, tmp_path: Path, named: str
) -> None:
    (tmp_path / MIDDLEWARE_FILE).write_text(MIDDLEWARE)
    path = {"PYTHONPATH": str(tmp_path)}
    with engine(kind, model, *_FLAGS, f"--middleware={named}", environment=path) as running:
        assert running.end() == 1


def test_the_hook_ends_at_once_where_nothing_listens(tmp_path: Path) -> None:
    marker = escadre_drain.MARKER.name
    command = [sys.executable, escadre_drain.__file__, "9", "60"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"TMPDIR": str(tmp_path)}
    )
    assert done.stdout == "nothing listens\n"
    assert (tmp_path / marker).exists()
