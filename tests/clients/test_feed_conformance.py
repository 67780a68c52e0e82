"""Both feeds of memory, held to one behaviour on the fake API server over HTTP and on a real one.

Our own list and watch, and kopf with its names lists: what is so is in memory in the end.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from e2e.cluster.cluster import Cluster
from tests.clients.conftest import GADGETS, define
from tests.clients.proxy import Proxy
from tests.fakes.kube import FakeServer, Traits
from tests.fakes.kube_http import HttpServer

from escadre.clients.kube import (
    NAMESPACES,
    Api,
    Connection,
    Json,
    KubeApi,
    Limits,
    list_all,
    load_connection,
)
from escadre.controller import shell
from escadre.controller.shell import Shell
from escadre.machinery.compact import Compact, compact
from escadre.machinery.feed import Pace
from escadre.machinery.heard import Heard
from escadre.machinery.informer import Informer

PATIENCE = 60.0  # seconds, in real time: on a busy machine nothing comes soon
MANY_REFUSALS = 40  # kopf by itself gives up after nine
Watch = Callable[["Side"], AbstractAsyncContextManager[Informer[Compact]]]
_NUMBERS = itertools.count()
_PACE = Pace(
    page_size=2,
    names_size=2,
    look_seconds=0.05,
    late_seconds=0.2,
    first_pause=0.01,
    longest_pause=0.02,
)


@dataclass
class Side:
    """A server that somebody watches; ``hands`` are those of everybody else."""

    hands: Api
    connection: Connection
    namespace: str
    gap: Callable[[bool], None]  # nothing comes through, or again

    async def put(self, name: str, size: int) -> Json:
        body = {
            "apiVersion": GADGETS.api_version,
            "kind": GADGETS.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"size": size},
        }
        return await self.hands.apply(GADGETS, body)

    async def remove(self, name: str) -> None:
        await self.hands.delete(GADGETS, name, namespace=self.namespace)

    async def truth(self) -> set[tuple[str, str]]:
        metas = [one["metadata"] for one in await list_all(self.hands, GADGETS)]
        return {(meta["uid"], meta["resourceVersion"]) for meta in metas}


@dataclass
class Faulty(Side):
    """The fake one, which fails when asked to."""

    fake: FakeServer
    http: HttpServer


@asynccontextmanager
async def _fake() -> AsyncIterator[Faulty]:
    server = FakeServer({GADGETS: Traits(status=True, generation=True)})
    server.put(NAMESPACES, {"metadata": {"name": "team"}})
    http = HttpServer(server.client("watcher"), (GADGETS,))

    def gap(down: bool) -> None:
        http.down = down
        http.cut()

    async with http.serving() as url:
        yield Faulty(server.client("hands"), Connection(url), "team", gap, server, http)


@asynccontextmanager
async def _real(cluster: Cluster) -> AsyncIterator[Side]:
    connection = await load_connection(kubeconfig=str(cluster.kubeconfig))
    async with KubeApi(connection, limits=Limits(qps=0)) as hands, Proxy.to(connection) as proxy:
        await define(hands, GADGETS)
        namespace = f"feeds-{next(_NUMBERS)}"
        meta = {"name": namespace}
        await hands.apply(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        through = replace(connection, host=proxy.url)
        try:
            yield Side(hands, through, namespace, proxy.gap)
        finally:
            for one in await list_all(hands, GADGETS):
                where = one["metadata"]
                await hands.delete(GADGETS, where["name"], namespace=where["namespace"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kopf tries again soon."""
    monkeypatch.setattr(shell, "_LONGEST_PAUSE", 0.02)
    monkeypatch.setattr(shell, "_FIRST_PAUSE", 0.01)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.cluster)])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    if request.param == "fake":
        async with _fake() as one:
            yield one
    else:
        async with _real(request.getfixturevalue("real_cluster")) as one:
            yield one


@pytest.fixture
async def faulty() -> AsyncIterator[Faulty]:
    async with _fake() as one:
        yield one


async def _nothing() -> None:
    pass


@pytest.fixture(params=["own", "kopf"])
def watch(request: pytest.FixtureRequest) -> Watch:
    """Keeps a memory of gadgets true, by one feed or the other."""

    @asynccontextmanager
    async def running(side: Side) -> AsyncIterator[Informer[Compact]]:
        async with AsyncExitStack() as stack:
            api = await stack.enter_async_context(
                KubeApi(side.connection, limits=Limits(qps=0, exchange_seconds=2.0))
            )
            heard = Heard(api, GADGETS, _PACE) if request.param == "kopf" else None
            informer = Informer(api, GADGETS, compact, pace=_PACE, feed=heard)
            tasks, stop = [asyncio.create_task(informer.run())], asyncio.Event()
            if heard:
                kopf = Shell(side.connection, [heard], _nothing, _nothing)
                tasks.append(asyncio.create_task(kopf.run(stop)))
            try:
                await asyncio.wait_for(informer.synced.wait(), PATIENCE)
                yield informer
            finally:
                stop.set()
                tasks[0].cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    return running


async def _agree(side: Side, informer: Informer[Compact]) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            truth = await side.truth()
            if {(one.uid, one.resource_version) for one in informer.values()} == truth:
                return
            await asyncio.sleep(0.02)


async def test_an_empty_kind_is_complete(side: Side, watch: Watch) -> None:
    async with watch(side) as informer:
        assert len(informer) == 0
        await _agree(side, informer)


async def test_what_is_there_is_in_memory_when_it_is_complete(side: Side, watch: Watch) -> None:
    for number in range(5):
        await side.put(f"w{number}", number)
    async with watch(side) as informer:
        assert {one.name for one in informer.values()} == {f"w{number}" for number in range(5)}


async def test_changes_follow(side: Side, watch: Watch) -> None:
    for name in ("kept", "edited", "gone", "again"):
        await side.put(name, 1)
    async with watch(side) as informer:
        await side.put("edited", 2)
        await side.put("new", 1)
        await side.remove("gone")
        await side.remove("again")
        await side.put("again", 1)
        await _agree(side, informer)
        if isinstance(side, Faulty):
            assert side.http.fetched == 0, "told, and not looked for"
            assert side.http.most_open == 1


async def test_what_happened_in_a_gap_is_made_up_for(side: Side, watch: Watch) -> None:
    for name in ("kept", "edited", "gone", "again"):
        await side.put(name, 1)
    async with watch(side) as informer:
        before = informer.get("again", side.namespace)
        side.gap(True)
        await side.put("edited", 2)
        await side.put("new", 1)
        await side.remove("gone")
        await side.remove("again")
        await side.put("again", 1)
        side.gap(False)
        await _agree(side, informer)
        after = informer.get("again", side.namespace)
        assert before is not None
        assert after is not None
        assert before.uid != after.uid


async def test_everything_gone_in_a_gap_that_history_does_not_reach_back_to(
    faulty: Faulty, watch: Watch
) -> None:
    for number in range(5):
        await faulty.put(f"w{number}", number)
    async with watch(faulty) as informer:
        faulty.gap(True)
        for number in range(5):
            await faulty.remove(f"w{number}")
        faulty.fake.compact()
        faulty.gap(False)
        await _agree(faulty, informer)
        assert len(informer) == 0
        await faulty.put("new", 1)
        await _agree(faulty, informer)


async def test_a_server_that_refuses_for_long_is_asked_until_it_does_not(
    faulty: Faulty, watch: Watch
) -> None:
    await faulty.put("one", 1)
    async with watch(faulty) as informer:
        faulty.gap(True)
        asked = faulty.http.asked
        await faulty.put("one", 2)
        async with asyncio.timeout(PATIENCE):
            while faulty.http.asked < asked + MANY_REFUSALS:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        faulty.gap(False)
        await _agree(faulty, informer)


async def test_a_list_whose_continue_token_expires_is_begun_anew(
    faulty: Faulty, watch: Watch
) -> None:
    for number in range(120):
        await faulty.put(f"w{number}", number)
    faulty.http.before_page = faulty.fake.compact  # every second page of the first lists
    async with watch(faulty) as informer:
        assert len(informer) == 120
        await _agree(faulty, informer)


async def test_an_error_in_the_middle_of_a_watch_ends_nothing(faulty: Faulty, watch: Watch) -> None:
    await faulty.put("one", 1)
    async with watch(faulty) as informer:
        faulty.http.fail_watches(500)
        await faulty.put("one", 2)
        await _agree(faulty, informer)
        await faulty.put("two", 1)
        await _agree(faulty, informer)
