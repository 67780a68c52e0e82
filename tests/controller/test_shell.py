"""kopf as the shell: it begins and ends our work once each, whatever becomes of kopf itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import pytest
from tests.fakes.kube import FakeServer
from tests.fakes.kube_http import HttpServer

from escadre.clients.kube import MODEL_MIRRORS, Connection
from escadre.controller import shell
from escadre.controller.shell import Shell
from escadre.machinery.heard import Heard

PATIENCE = 60.0  # seconds, in real time: on a busy machine nothing comes soon


class Life:
    """A shell that runs, and what it did to our work."""

    def __init__(self, http: HttpServer, url: str) -> None:
        self.http = http
        self.done: list[str] = []
        self.stop = asyncio.Event()
        heard = Heard(FakeServer().client(), MODEL_MIRRORS)
        connection = Connection(url)
        self._task = asyncio.create_task(
            Shell(connection, [heard], self._begin, self._end).run(self.stop)
        )
        self._ours: asyncio.Task[None] | None = None

    async def _begin(self) -> None:
        self.done.append("begin")
        self._ours = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            await self.stop.wait()
            await asyncio.sleep(0.05)
            self.done.append("last write")
        except asyncio.CancelledError:
            self.done.append("cancelled")

    async def _end(self) -> None:
        self.stop.set()
        assert self._ours is not None
        await self._ours
        self.done.append("end")

    async def until(self, seen: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not seen():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.005)

    async def watches(self, number: int) -> None:
        """Until so many watches were begun, and one is open."""
        await self.until(lambda: self.http.begun >= number and self.http.open["modelmirrors"] == 1)

    async def ended(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self._task


@asynccontextmanager
async def living() -> AsyncIterator[Life]:
    http = HttpServer(FakeServer().client("kopf"), (MODEL_MIRRORS,))
    async with http.serving() as url:
        life = Life(http, url)
        await life.watches(1)
        yield life
        await life.ended()


ONCE = ["begin", "last write", "end"]


async def test_what_it_began_it_ends_after_the_last_write() -> None:
    async with living() as life:
        life.stop.set()
    assert life.done == ONCE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it(number: signal.Signals) -> None:
    async with living() as life:
        os.kill(os.getpid(), number)
    assert life.done == ONCE


async def test_our_work_goes_on_when_kopf_ends_and_is_begun_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shell, "_FIRST_PAUSE", 0.01)
    async with living() as life:
        life.http.fail_watches(500)
        await life.watches(2)
        assert life.done == ["begin"]
        life.stop.set()
    assert life.done == ONCE


async def test_it_ends_our_work_also_while_kopf_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(shell, "_LONGEST_PAUSE", 3600.0)
    said: list[str] = []
    monkeypatch.setattr(Shell, "_pause", _noting(said, Shell._pause))
    async with living() as life:
        life.http.fail_watches(500)
        await life.until(lambda: bool(said))
        life.stop.set()
    assert life.done == ONCE


def _noting(said: list[str], pause: Callable[..., object]) -> Callable[..., object]:
    def noted(*given: object) -> object:
        said.append("waits")
        return pause(*given)

    return noted


def test_kopf_keeps_what_an_object_is_and_not_what_it_says() -> None:
    identity = {"name": "a", "uid": "u", "resourceVersion": "7", "deletionTimestamp": "now"}
    raw: dict[str, Any] = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelMirror",
        "metadata": {**identity, "managedFields": [{"manager": "m"}]},
        "spec": {"url": "https://mirror"},
        "status": {"conditions": []},
    }
    before = deepcopy(raw)
    assert shell._taken(raw) == before
    assert raw == {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelMirror",
        "metadata": identity,
    }
