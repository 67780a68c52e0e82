"""machinery/heard.py: memory equals the server, however late and in whatever order it is told."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.kopf import FakeKopf
from tests.fakes.kube import FakeApi, FakeServer
from tests.fakes.virtualtime import in_virtual_time

from escadre.clients.kube import MODEL_MIRRORS, Json
from escadre.machinery.compact import Compact, compact
from escadre.machinery.feed import Pace
from escadre.machinery.heard import Heard
from escadre.machinery.informer import Informer

PATIENCE = 60.0  # seconds, in real time: on a busy machine nothing comes soon


def mirror(name: str, **labels: str) -> Json:
    spec = {"type": "http", "url": "http://mirror.example"}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


def memory(api: FakeApi) -> tuple[Informer[Compact], Heard]:
    pace = Pace(
        names_size=2, look_seconds=0.005, late_seconds=0.02, first_pause=0.001, longest_pause=0.002
    )
    heard = Heard(api, MODEL_MIRRORS, pace)
    return Informer(api, MODEL_MIRRORS, compact, pace=pace, feed=heard), heard


@asynccontextmanager
async def running(informer: Informer[Compact], kopf: FakeKopf | None) -> AsyncIterator[None]:
    loops = [informer.run(), *([kopf.run()] if kopf else [])]
    tasks = [asyncio.create_task(one) for one in loops]
    try:
        await asyncio.wait_for(informer.synced.wait(), PATIENCE)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def truth(server: FakeServer) -> set[tuple[str, str]]:
    metas = [one["metadata"] for one in server.all(MODEL_MIRRORS)]
    return {(meta["uid"], meta["resourceVersion"]) for meta in metas}


def known(informer: Informer[Compact]) -> set[tuple[str, str]]:
    return {(one.uid, one.resource_version) for one in informer.values()}


async def agree(informer: Informer[Compact], server: FakeServer) -> None:
    assert await informer.wait_until(lambda: known(informer) == truth(server), PATIENCE)


async def test_an_empty_kind_is_complete_though_nobody_says_so() -> None:
    server = FakeServer()
    informer, _ = memory(server.client())
    async with running(informer, None):
        assert len(informer) == 0


async def test_it_is_complete_only_when_all_that_is_named_was_heard_of() -> None:
    server = FakeServer()
    for number in range(5):
        server.put(MODEL_MIRRORS, mirror(f"m{number}"))
    informer, heard = memory(server.client())
    seen: list[int] = []
    informer.on_change(lambda *_: seen.append(len(informer) if informer.synced.is_set() else 0))
    async with running(informer, FakeKopf(server.client("kopf"), [heard])):
        assert len(informer) == 5
        assert seen == [0] * 5


async def test_a_deletion_that_nobody_tells_of_is_found_by_the_count() -> None:
    server = FakeServer()
    for name in ("kept", "gone"):
        server.put(MODEL_MIRRORS, mirror(name))
    client = server.client("kopf")
    informer, heard = memory(server.client())
    async with running(informer, FakeKopf(client, [heard])):
        client.lose_events("ModelMirror")
        server.remove(MODEL_MIRRORS, "gone")
        await agree(informer, server)


@in_virtual_time
async def test_it_is_found_within_a_minute() -> None:
    server = FakeServer()
    server.put(MODEL_MIRRORS, mirror("gone"))
    api, client = server.client(), server.client("kopf")
    clock = asyncio.get_running_loop().time
    heard = Heard(api, MODEL_MIRRORS, Pace(clock=clock))
    informer = Informer(api, MODEL_MIRRORS, compact, pace=Pace(clock=clock), feed=heard)
    async with running(informer, FakeKopf(client, [heard])):
        client.lose_events("ModelMirror")
        server.remove(MODEL_MIRRORS, "gone")
        assert await informer.wait_until(lambda: not len(informer), 60)


async def test_what_nobody_tells_of_though_it_is_there_is_fetched() -> None:
    server = FakeServer()
    client = server.client("kopf")
    informer, heard = memory(server.client())
    async with running(informer, FakeKopf(client, [heard])):
        client.lose_events("ModelMirror")
        server.put(MODEL_MIRRORS, mirror("unheard"))
        await agree(informer, server)


async def test_no_whole_object_is_listed_to_be_sure() -> None:
    server = FakeServer()
    for number in range(5):
        server.put(MODEL_MIRRORS, mirror(f"m{number}"))
    api = server.client()
    informer, heard = memory(api)
    async with running(informer, FakeKopf(server.client("kopf"), [heard])):
        lists = [one for one in api.reads if one.verb == "list" and one.subresource != "names"]
        assert len(lists) <= 1, "one object of a list that counts"
        assert not [one for one in api.reads if one.verb in {"watch", "get"}]


@pytest.mark.parametrize("late", ["ADDED", "MODIFIED", None])
async def test_a_late_word_does_not_bring_back_what_is_gone(late: str | None) -> None:
    server = FakeServer()
    old = server.put(MODEL_MIRRORS, mirror("one"))
    informer, heard = memory(server.client())
    client = server.client("kopf")
    async with running(informer, FakeKopf(client, [heard])):
        client.hold_events("ModelMirror")
        server.remove(MODEL_MIRRORS, "one")
        assert await informer.wait_until(lambda: not len(informer), PATIENCE)
        heard.hear(late, old)
        assert len(informer) == 0
        client.release_events("ModelMirror")
        await agree(informer, server)


async def test_a_deletion_holds_against_an_older_word_that_comes_after_it() -> None:
    server = FakeServer()
    informer, heard = memory(server.client())
    async with running(informer, FakeKopf(server.client("kopf"), [heard])):
        made = server.put(MODEL_MIRRORS, mirror("one"))
        await agree(informer, server)
        last = {**made, "metadata": {**made["metadata"], "resourceVersion": "900"}}
        heard.hear("DELETED", last)
        other = {**made["metadata"], "uid": "another", "resourceVersion": "899"}
        heard.hear("MODIFIED", {**made, "metadata": other})
        assert len(informer) == 0


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["put", "edit", "remove", "again", "cut", "compact", "double", "note", "yield"]
        ),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(actions=_ACTIONS, seed=st.integers(0, 1 << 16))
def test_memory_equals_the_server_in_the_end(actions: list[tuple[str, int]], seed: int) -> None:
    """Any history, told late, twice, with gaps and in any order across objects, ends in truth."""
    asyncio.run(_live_through(actions, random.Random(seed)))  # noqa: S311 - a test's order


async def _live_through(actions: list[tuple[str, int]], rng: random.Random) -> None:
    server = FakeServer()
    client, writer = server.client("kopf"), server.client("writer")
    informer, heard = memory(server.client())
    async with running(informer, FakeKopf(client, [heard], rng)):
        for number, (action, which) in enumerate(actions):
            name = f"m{which}"
            if action == "note":
                body = mirror(name, edit=str(number))
                informer.note_write(await writer.apply(MODEL_MIRRORS, body))
            elif action == "yield":
                await asyncio.sleep(0.0005 * which)
            else:
                happen(client, action, mirror(name, edit=str(number)))
        await agree(informer, server)


def happen(client: FakeApi, action: str, obj: Json) -> None:
    """Somebody edits, deletes or makes an object anew, or the client's watch has a gap."""
    server, name = client.server, obj["metadata"]["name"]
    if action in {"remove", "again"} and server.get(MODEL_MIRRORS, name):
        server.remove(MODEL_MIRRORS, name)
    if action in {"put", "edit", "again"}:
        server.put(MODEL_MIRRORS, obj)
    if action == "compact":
        server.compact()
    if action in {"compact", "cut"}:
        client.cut_watches()
    if action == "double":
        client.duplicate_events("ModelMirror")
