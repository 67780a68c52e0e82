"""The elector on a thread of its own: what the loop that works may do, and what it is told."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from tests.fakes.kube import FakeServer
from typing_extensions import override

from escadre.clients.kube import LEASES, Api, ConnectionUnknown, Json
from escadre.machinery import apart
from escadre.machinery.apart import ElectorApart
from escadre.machinery.lease import Candidate, Terms

_NAMESPACE, _NAME = "escadre-system", "escadre-operator"
_PATIENCE = 20.0
_RENEWALS = 20
# Renewed often, and lost by no machine that is merely busy.
_TERMS = Terms(
    lease_seconds=_PATIENCE + 2,
    renew_seconds=_PATIENCE + 1,
    retry_seconds=0.05,
    rng=random.Random(1),  # noqa: S311 - jitter
)


class _Process:
    """One elector, its client (which counts its writes), and what it was told."""

    def __init__(self, server: FakeServer, name: str, terms: Terms = _TERMS) -> None:
        self.server, self.name = server, name
        self.opened_on: list[threading.Thread] = []
        self.closes = threading.Event()
        self.closes.set()
        self.lost: list[tuple[str, threading.Thread]] = []
        self.elector = ElectorApart(
            self._open,
            Candidate(_NAMESPACE, _NAME, name),
            terms=terms,
            on_lost=lambda why: self.lost.append((why, threading.current_thread())),
        )

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Api]:
        self.opened_on.append(threading.current_thread())
        try:
            yield self.server.client(self.name)
        finally:
            await asyncio.to_thread(self.closes.wait)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.elector.run())
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.elector.leading.wait()
                yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _spec(server: FakeServer) -> Json:
    lease = server.get(LEASES, _NAME, _NAMESPACE)
    assert lease is not None
    spec: Json = lease["spec"]
    return spec


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "lease"]


async def test_the_lease_is_renewed_while_our_loop_computes() -> None:
    server = FakeServer()
    process = _Process(server, "a")

    async with process.leading() as task:
        before = _spec(server)["renewTime"]
        seen = {before}
        deadline = _TERMS.clock() + _PATIENCE
        # This loop turns for nobody here, as in a planning pass: on it there would be no renewal.
        while len(seen) <= _RENEWALS and _TERMS.clock() < deadline:
            seen.add(_spec(server)["renewTime"])
        assert len(seen) > _RENEWALS
        await asyncio.sleep(0)
        assert process.elector.leading.is_set()
        assert not task.done()
    assert process.lost == []


async def test_its_client_is_opened_on_the_thread_and_the_loss_is_told_on_ours() -> None:
    server = FakeServer()
    process = _Process(server, "a")
    async with process.leading() as task:
        lease = server.get(LEASES, _NAME, _NAMESPACE)
        assert lease is not None
        lease["spec"]["holderIdentity"] = "b"
        server.put(LEASES, lease)
        await task
    (opened,) = process.opened_on
    ((why, told),) = process.lost
    assert opened is not threading.current_thread()
    assert (why, told) == ("b holds it now", threading.current_thread())
    assert not process.elector.leading.is_set()


async def test_ended_it_releases_the_lease_and_leaves_no_thread() -> None:
    server = FakeServer()
    process = _Process(server, "a")
    async with process.leading():
        assert _spec(server)["holderIdentity"] == "a"
        (thread,) = _threads()
    assert _spec(server)["holderIdentity"] == ""
    thread.join(_PATIENCE)
    assert not thread.is_alive()
    assert process.lost == []


async def test_one_takes_over_from_the_other() -> None:
    server = FakeServer()
    first, second = _Process(server, "a"), _Process(server, "b")
    async with first.leading():
        waiting = asyncio.create_task(second.elector.run())
        await asyncio.sleep(0)
        assert not second.elector.leading.is_set()
    async with asyncio.timeout(_PATIENCE):
        await second.elector.leading.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert _spec(server)["holderIdentity"] == ""


async def test_ended_before_its_thread_has_begun_it_takes_nothing() -> None:
    server = FakeServer()
    task = asyncio.create_task(_Process(server, "a").elector.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lease = server.get(LEASES, _NAME, _NAMESPACE)
    assert lease is None or lease["spec"]["holderIdentity"] == ""


class _Nowhere(AbstractAsyncContextManager[Api]):
    @override
    async def __aenter__(self) -> Api:
        raise ConnectionUnknown("no kubeconfig")

    @override
    async def __aexit__(self, *_: object) -> None:
        raise AssertionError("it was never entered")


async def test_what_keeps_its_client_from_opening_is_raised() -> None:
    elector = ElectorApart(_Nowhere, Candidate(_NAMESPACE, _NAME, "a"), on_lost=lambda _: None)
    with pytest.raises(ConnectionUnknown, match="no kubeconfig"):
        async with asyncio.timeout(_PATIENCE):
            await elector.run()


async def test_a_client_that_does_not_close_holds_the_process_for_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart, "_END_SECONDS", 0.05)
    process = _Process(FakeServer(), "a")
    process.closes.clear()
    async with process.leading():
        (thread,) = _threads()
    assert thread.is_alive()
    process.closes.set()
    thread.join(_PATIENCE)
    assert not thread.is_alive()
