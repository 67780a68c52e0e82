"""The faults of the fake API, which only tests of the controller would otherwise exercise."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from tests.fakes.kube import FakeApi, FakeServer, Killed

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_MIRRORS,
    PERSISTENT_VOLUMES,
    Invalid,
    Resource,
    ServerUnavailable,
    TooManyRequests,
)

Json = dict[str, Any]


def _node(name: str, **spec: Any) -> Json:
    return {"metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(("when", "exists"), [("before", False), ("after", True)])
async def test_a_killed_client_is_dead_and_the_server_lives_on(when: Any, exists: bool) -> None:
    server = FakeServer()
    first = server.client()
    first.kill_at(2, when)
    await first.apply(GPU_NODES, _node("a"))
    with pytest.raises(Killed):
        await first.apply(GPU_NODES, _node("b"))
    with pytest.raises(Killed):
        await first.get(GPU_NODES, "a")
    assert (server.get(GPU_NODES, "b") is not None) is exists
    assert len(first.writes) == 1 + exists
    await server.client().apply(GPU_NODES, _node("b"))


async def test_a_watch_dies_with_its_client() -> None:
    server = FakeServer()
    api = server.client()
    api.kill_at(1)

    async def follow() -> None:
        async for _ in api.watch(GPU_NODES, resource_version=str(server.version)):
            pass

    watching = asyncio.create_task(follow())
    await asyncio.sleep(0)
    with pytest.raises(Killed):
        await api.apply(GPU_NODES, _node("a"))
    with pytest.raises(Killed):
        await asyncio.wait_for(watching, 60)


async def test_errors_before_and_after_a_write() -> None:
    api = FakeApi()
    api.answer_429(1, retry_after=3)
    with pytest.raises(TooManyRequests) as busy:
        await api.apply(GPU_NODES, _node("a"))
    assert busy.value.retry_after == 3
    api.timeout_after_commit(1)
    with pytest.raises(ServerUnavailable) as lost:
        await api.apply(GPU_NODES, _node("a"))
    assert lost.value.maybe_committed
    assert api.server.get(GPU_NODES, "a") is not None
    api.fail_next_write(Invalid(method="apply", object="x", status=422))
    with pytest.raises(Invalid):
        await api.apply(GPU_NODES, _node("b"))
    assert api.server.get(GPU_NODES, "b") is None


async def test_events_are_lost_held_back_and_doubled() -> None:
    server = FakeServer()
    api = server.client()
    start = str(server.version)
    api.lose_events("GPUNode", 1)
    api.duplicate_events("GPUNode", 1)
    api.hold_events("GPUNode")
    for name in ("lost", "doubled", "plain"):
        server.put(GPU_NODES, _node(name))
    names = []
    api.release_events("GPUNode")
    stream = api.watch(GPU_NODES, resource_version=start)
    async with aclosing(stream), asyncio.timeout(60):
        async for event in stream:
            names.append(event.object["metadata"]["name"])
            if names[-1] == "plain":
                break
    assert names == ["doubled", "doubled", "plain"]


def test_two_histories_with_one_outcome_have_one_snapshot() -> None:
    def play(*, detour: bool) -> dict[str, Json]:
        server = FakeServer()
        if detour:
            server.put(GPU_NODES, _node("gone"))
            server.remove(GPU_NODES, "gone")
            server.advance(60)
        owner = server.put(GPU_NODES, _node("a"))
        uid = owner["metadata"]["uid"]
        reference = {"apiVersion": "x", "kind": "GPUNode", "name": "a", "uid": uid}
        volume = {"metadata": {"name": "v", "ownerReferences": [reference]}, "spec": {}}
        server.put(PERSISTENT_VOLUMES, volume)
        return server.snapshot()

    assert play(detour=True) == play(detour=False)


async def test_immutable_fields_stay() -> None:
    server = FakeServer()
    server.put(MODEL_APPROVALS, {"metadata": {"name": "a"}, "spec": {"revision": "1"}})
    with pytest.raises(Invalid, match="immutable"):
        await server.client().patch(MODEL_APPROVALS, "a", {"spec": {"revision": "2"}})


async def test_the_unexpected_is_refused() -> None:
    jobs = Resource("batch", "v1", "jobs", "Job", namespaced=True)
    with pytest.raises(AssertionError, match=r"knows no jobs\.batch"):
        await FakeApi().list_page(jobs)
    with pytest.raises(AssertionError, match="only forced applies"):
        await FakeApi().apply(GPU_NODES, _node("a"), force=False)
    with pytest.raises(AssertionError, match="wrong namespace"):
        await FakeApi().get(DEPLOYMENTS, "a")


async def test_deletions_are_counted_once() -> None:
    server = FakeServer()
    server.put(GPU_NODES, _node("a"))
    await server.client().delete(GPU_NODES, "a")
    assert server.deletions == ["GPUNode a"]


async def test_a_cut_that_comes_while_a_watch_begins_ends_it_too() -> None:
    """As a connection does that is closed before the first event."""
    api = FakeServer().client()
    first = asyncio.ensure_future(anext(api.watch(MODEL_MIRRORS, resource_version="0"), None))
    await asyncio.sleep(0)
    api.cut_watches()
    done, _ = await asyncio.wait({first}, timeout=1.0)
    first.cancel()
    assert done == {first}
    assert first.result() is None
