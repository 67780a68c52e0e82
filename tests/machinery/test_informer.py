"""The informer: memory equals the server, whatever happens to the watch."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.kube import FakeApi, FakeServer

from escadre.clients.kube import DEPLOYMENTS, GPU_NODES, Forbidden, Json, NotFound, Selection
from escadre.machinery.compact import Compact, compact
from escadre.machinery.informer import Informer, Pace

Changes = list[tuple[str, str | None, str | None]]
PATIENCE = 60.0  # seconds, in real time: on a busy machine nothing comes soon


def _deployment(name: str, namespace: str = "team", **labels: str) -> Json:
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"containers": []}}}
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec}


def _informer(api: FakeApi, **options: Any) -> Informer[Compact]:
    rng = random.Random(1)  # noqa: S311 - jitter, the same in every run
    pace = Pace(first_pause=0.001, longest_pause=0.002, rng=rng)
    known = {one.name for one in fields(Pace)}
    pace = replace(pace, **{key: options.pop(key) for key in options.keys() & known})
    return Informer(api, DEPLOYMENTS, compact, pace=pace, **options)


@asynccontextmanager
async def _running(informer: Informer[Compact]) -> AsyncIterator[Changes]:
    changes: Changes = []

    def note(_: str, old: Compact | None, new: Compact | None) -> None:
        name = (new or old or pytest.fail("a change of nothing")).name
        before = None if old is None else old.resource_version
        changes.append((name, before, None if new is None else new.resource_version))

    informer.on_change(note)
    task = asyncio.create_task(informer.run())
    try:
        await asyncio.wait_for(informer.synced.wait(), PATIENCE)
        yield changes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _names(informer: Informer[Compact]) -> set[str]:
    return {each.name for each in informer.values()}


async def _until(informer: Informer[Compact], predicate: Callable[[], bool]) -> None:
    assert await informer.wait_until(predicate, PATIENCE)


async def _condition(predicate: Callable[[], bool]) -> None:
    """Wait for something that is no change of memory."""
    async with asyncio.timeout(PATIENCE):
        while not predicate():  # noqa: ASYNC110 - nothing tells of these
            await asyncio.sleep(0.001)


async def test_the_first_list_comes_in_pages_and_changes_follow() -> None:
    server = FakeServer()
    for number in range(7):
        server.put(DEPLOYMENTS, _deployment(f"d{number}"))
    api = server.client()
    async with _running(informer := _informer(api, page_size=3)) as changes:
        assert len(informer) == 7
        assert sum(each.verb == "list" for each in api.reads) == 3
        server.put(DEPLOYMENTS, _deployment("d7"))
        server.remove(DEPLOYMENTS, "d0", "team")
        await _until(informer, lambda: _names(informer) == {f"d{n}" for n in range(1, 8)})
        assert [each[0] for each in changes[-2:]] == ["d7", "d0"]
        assert informer.relists == 0


async def test_a_watch_that_ends_is_taken_up_where_it_stopped() -> None:
    server = FakeServer()
    api = server.client()
    async with _running(informer := _informer(api)):
        server.put(DEPLOYMENTS, _deployment("a"))
        await _until(informer, lambda: len(informer) == 1)
        api.cut_watches()
        server.put(DEPLOYMENTS, _deployment("b"))
        await _until(informer, lambda: _names(informer) == {"a", "b"})
        assert informer.watch_restarts >= 1
        assert informer.relists == 0


async def test_after_410_a_new_list_finds_what_was_deleted_and_what_was_replaced() -> None:
    server = FakeServer()
    for name in ("kept", "gone", "replaced"):
        server.put(DEPLOYMENTS, _deployment(name))
    api = server.client()
    async with _running(informer := _informer(api)) as changes:
        before = informer.get("replaced", "team")
        api.hold_events("Deployment")
        server.remove(DEPLOYMENTS, "gone", "team")
        server.remove(DEPLOYMENTS, "replaced", "team")
        server.put(DEPLOYMENTS, _deployment("replaced"))
        server.compact()
        changes.clear()
        api.cut_watches()
        await _until(informer, lambda: _names(informer) == {"kept", "replaced"})
        after = informer.get("replaced", "team")
        assert before is not None
        assert after is not None
        assert before.uid != after.uid
        # Deleted first, then new: whoever owns state by uid hears of both.
        assert [each for each in changes if each[0] == "replaced"] == [
            ("replaced", before.resource_version, None),
            ("replaced", None, after.resource_version),
        ]
        assert not [each for each in changes if each[0] == "kept"]
        assert informer.relists == 1


async def test_duplicate_events_and_bookmarks_change_nothing() -> None:
    server = FakeServer()
    api = server.client()
    async with _running(informer := _informer(api)) as changes:
        api.duplicate_events("Deployment", 2)
        server.put(DEPLOYMENTS, _deployment("a"))
        server.bookmark()
        server.remove(DEPLOYMENTS, "a", "team")
        server.put(DEPLOYMENTS, _deployment("end"))
        await _until(informer, lambda: informer.get("end", "team") is not None)
        assert [each[0] for each in changes] == ["a", "a", "end"]


async def test_memory_is_never_older_than_our_own_write() -> None:
    server = FakeServer()
    api = server.client()
    async with _running(informer := _informer(api)) as changes:
        api.hold_events("Deployment")
        answer = await api.apply(DEPLOYMENTS, _deployment("a"), create_only=True)
        informer.note_write(answer)
        assert informer.get("a", "team") is not None
        api.release_events("Deployment")
        server.put(DEPLOYMENTS, _deployment("end"))
        await _until(informer, lambda: informer.get("end", "team") is not None)
        assert [each[0] for each in changes] == ["a", "end"]


async def test_the_answer_of_a_write_does_not_revive_what_was_deleted_since() -> None:
    server = FakeServer()
    api = server.client()
    async with _running(informer := _informer(api)):
        answer = await api.apply(DEPLOYMENTS, _deployment("a"), create_only=True)
        server.remove(DEPLOYMENTS, "a", "team")
        server.put(DEPLOYMENTS, _deployment("end"))
        await _until(informer, lambda: informer.get("end", "team") is not None)
        informer.note_write(answer)
        assert _names(informer) == {"end"}


async def test_a_silent_watch_is_given_up() -> None:
    server = FakeServer()
    api = server.client()
    async with _running(informer := _informer(api, inactivity_seconds=0.02)):
        await _condition(lambda: informer.watch_restarts >= 2)
        server.put(DEPLOYMENTS, _deployment("a"))
        await _until(informer, lambda: len(informer) == 1)


async def test_a_refusal_is_shown_and_tried_again() -> None:
    server = FakeServer()
    api = server.client()
    refusal = Forbidden(method="list", object="deployments", status=403, reason="Forbidden")
    api.refuse("list", "Deployment", lambda: refusal)
    informer = _informer(api)
    task = asyncio.create_task(informer.run())
    await _condition(lambda: informer.last_error is refusal)
    assert not informer.synced.is_set()
    api.refuse("list", "Deployment", None)
    await asyncio.wait_for(informer.synced.wait(), PATIENCE)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert informer.last_error is None


async def test_scopes_and_indices() -> None:
    server = FakeServer()
    server.put(DEPLOYMENTS, _deployment("a", app="x"))
    server.put(DEPLOYMENTS, _deployment("b", app="y"))
    server.put(DEPLOYMENTS, _deployment("c", "other", app="x"))
    informer = _informer(
        server.client(),
        selection=Selection("team", labels="app=x"),
        indices={"app": lambda each: [each.labels["app"]]},
    )
    async with _running(informer):
        assert _names(informer) == {"a"}
        assert [each.name for each in informer.by("app", "x")] == ["a"]
        server.put(DEPLOYMENTS, _deployment("b", app="x"))
        await _until(informer, lambda: _names(informer) == {"a", "b"})
        server.put(DEPLOYMENTS, _deployment("a", app="z"))
        await _until(informer, lambda: _names(informer) == {"b"})
        assert [each.name for each in informer.by("app", "x")] == ["b"]
        assert informer.by("app", "z") == ()


_ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "edit", "remove", "cut", "compact", "double", "note", "yield"]),
        st.integers(0, 3),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(actions=_ACTIONS)
def test_memory_equals_the_server_in_the_end(actions: list[tuple[str, int]]) -> None:
    """Any history of edits, cuts, compactions, duplicates and noted writes ends in the truth."""
    asyncio.run(_live_through(actions))


async def _live_through(actions: list[tuple[str, int]]) -> None:
    server = FakeServer()
    api, writer = server.client(), server.client()
    async with _running(informer := _informer(api)):
        for number, (action, which) in enumerate(actions):
            name = f"d{which}"
            known = server.get(DEPLOYMENTS, name, "team") is not None
            if action in {"put", "edit"}:
                server.put(DEPLOYMENTS, _deployment(name, edit=str(number)))
            elif action == "remove" and known:
                server.remove(DEPLOYMENTS, name, "team")
            elif action == "note":
                body = _deployment(name, edit=str(number))
                informer.note_write(await writer.apply(DEPLOYMENTS, body))
            elif action == "cut":
                api.cut_watches()
            elif action == "compact":
                server.compact()
            elif action == "double":
                api.duplicate_events("Deployment")
            elif action == "yield":
                await asyncio.sleep(0.0005 * which)
        truth = {
            (each["metadata"]["name"], each["metadata"]["resourceVersion"])
            for each in server.all(DEPLOYMENTS)
        }

        def same() -> bool:
            return {(each.name, each.resource_version) for each in informer.values()} == truth

        await _until(informer, same)


def test_compact_keeps_the_child_and_not_its_managed_fields() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u1", "controller": True}
    obj = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "GPUNode",
        "metadata": {
            "name": "n",
            "uid": "u2",
            "resourceVersion": "7",
            "generation": 3,
            "managedFields": [{"manager": "x"}],
            "annotations": {"keep": "1", "drop": "2"},
            "ownerReferences": [owner],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"wanted": ["é"]},
        "status": {"bootID": "b"},
    }
    slim = compact(obj)
    whole = slim.load()
    assert slim.controller_uid == "u1"
    assert slim.terminating
    assert whole["spec"] == {"wanted": ["é"]}
    assert whole["metadata"]["annotations"] == {"keep": "1", "drop": "2"}
    assert "managedFields" not in whole["metadata"]
    assert "status" not in whole
    assert GPU_NODES.kind == obj["kind"]


async def test_a_resource_that_is_not_served_is_one_without_objects_until_it_is() -> None:
    server = FakeServer()
    api = server.client()

    def missing() -> NotFound:
        return NotFound(method="list", object="Deployments", status=404)

    api.refuse("list", "Deployment", missing)
    informer = _informer(api, absent_seconds=0.001)
    async with _running(informer):
        assert len(informer) == 0
        assert not [one for one in api.reads if one.verb == "watch"]
        server.put(DEPLOYMENTS, _deployment("a"))
        api.refuse("list", "Deployment", None)
        await _until(informer, lambda: _names(informer) == {"a"})
        server.put(DEPLOYMENTS, _deployment("b"))
        await _until(informer, lambda: _names(informer) == {"a", "b"})
