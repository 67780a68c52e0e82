"""One behaviour, two servers: the fake API server is held to what the real one does.

Whatever a unit test relies on in `tests.fakes.kube` has a line here. Field ownership finer than
"one manager's whole intent" is not faked and stands in test_kube_ownership.py.
"""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from tests.clients.conftest import CONFIG_MAPS, WIDGETS, World

from escadre.clients.kube import (
    DEPLOYMENTS,
    LEASES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    SELF_SUBJECT_REVIEWS,
    Conflict,
    Forbidden,
    Gone,
    Guard,
    Invalid,
    NotFound,
    Selection,
    WatchEvent,
    list_all,
)

Json = dict[str, Any]
_NO_UID = "7b2e0c6c-0000-4000-8000-000000000000"


def _version(obj: Json) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version


async def test_create_only_creates_once(world: World) -> None:
    body = world.widget("a", {"size": 1})
    created = await world.api.apply(WIDGETS, body, create_only=True)
    assert created["metadata"]["generation"] == 1
    with pytest.raises(Conflict) as refused:
        await world.api.apply(WIDGETS, world.widget("a", {"size": 2}), create_only=True)
    assert refused.value.already_exists
    assert refused.value.status == 409
    live = await world.api.get(WIDGETS, "a", namespace=world.namespace)
    assert live["spec"] == {"size": 1}
    assert _version(live) == _version(created)


async def test_a_dry_run_of_a_creation_is_judged_and_stores_nothing(world: World) -> None:
    body = world.widget("a", {"size": 1})
    tried = await world.api.create(WIDGETS, body, dry_run=True)
    assert tried["spec"] == {"size": 1}
    with pytest.raises(NotFound):
        await world.api.get(WIDGETS, "a", namespace=world.namespace)
    created = await world.api.create(WIDGETS, body)
    with pytest.raises(Conflict) as refused:
        await world.api.create(WIDGETS, body, dry_run=True)
    assert refused.value.already_exists
    live = await world.api.get(WIDGETS, "a", namespace=world.namespace)
    assert _version(live) == _version(created)


async def test_apply_with_uid_never_makes_a_new_object(world: World) -> None:
    created = await world.api.apply(WIDGETS, world.widget("a", {"size": 1}), create_only=True)
    uid = created["metadata"]["uid"]
    applied = await world.api.apply(WIDGETS, world.widget("a", {"size": 2}, uid=uid))
    assert applied["spec"] == {"size": 2}
    with pytest.raises(Invalid) as other:
        await world.api.apply(WIDGETS, world.widget("a", {"size": 3}, uid=_NO_UID))
    assert other.value.status == 422
    await world.api.delete(WIDGETS, "a", namespace=world.namespace, guard=Guard(uid=uid))
    with pytest.raises(Conflict) as gone:
        await world.api.apply(WIDGETS, world.widget("a", {"size": 3}, uid=uid))
    assert not gone.value.already_exists


async def test_what_an_apply_leaves_out_goes(world: World) -> None:
    spec = {"kept": {"a": 1, "b": 2}, "dropped": {"c": 3}, "list": [1, 2]}
    labels = {"kept": "1", "dropped": "2"}
    await world.api.apply(WIDGETS, world.widget("a", spec, labels=labels))
    fewer = world.widget("a", {"kept": {"a": 1}, "list": [2]}, labels={"kept": "1"})
    applied = await world.api.apply(WIDGETS, fewer)
    assert applied["spec"] == {"kept": {"a": 1}, "list": [2]}
    assert applied["metadata"]["labels"] == {"kept": "1"}


async def test_what_others_added_stays(world: World) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {"own": 1}, labels={"own": "1"}))
    foreign = {"metadata": {"labels": {"foreign": "1"}}, "spec": {"foreign": 1}}
    await world.api.patch(WIDGETS, "a", foreign, namespace=world.namespace)
    applied = await world.api.apply(WIDGETS, world.widget("a", {"own": 2}))
    assert applied["spec"] == {"own": 2, "foreign": 1}
    assert applied["metadata"]["labels"] == {"foreign": "1"}


async def test_an_apply_that_changes_nothing_leaves_the_version(world: World) -> None:
    body = world.widget("a", {"size": 1}, labels={"a": "b"})
    first = await world.api.apply(WIDGETS, body)
    again = await world.api.apply(WIDGETS, body)
    assert _version(first) == _version(again)


async def test_generation_counts_the_spec_only(world: World) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {"size": 1}))
    labelled = await world.api.apply(WIDGETS, world.widget("a", {"size": 1}, labels={"a": "b"}))
    assert labelled["metadata"]["generation"] == 1
    status = world.widget("a", {}) | {"status": {"phase": "Fine"}}
    judged = await world.api.apply(WIDGETS, status, subresource="status")
    assert judged["metadata"]["generation"] == 1
    changed = await world.api.apply(WIDGETS, world.widget("a", {"size": 2}))
    assert changed["metadata"]["generation"] == 2


async def test_status_and_the_rest_are_written_apart(world: World) -> None:
    with_status = world.widget("a", {"size": 1}) | {"status": {"phase": "Ignored"}}
    created = await world.api.apply(WIDGETS, with_status)
    assert not created.get("status")
    both = world.widget("a", {"size": 9}) | {"status": {"phase": "Fine"}}
    judged = await world.api.apply(WIDGETS, both, subresource="status")
    assert judged["spec"] == {"size": 1}
    assert judged["status"] == {"phase": "Fine"}
    applied = await world.api.apply(WIDGETS, world.widget("a", {"size": 2}))
    assert applied["status"] == {"phase": "Fine"}
    missing = world.widget("b", {}) | {"status": {"phase": "Fine"}}
    with pytest.raises(NotFound):
        await world.api.apply(WIDGETS, missing, subresource="status")


async def test_conditions_merge_by_type_and_go_when_left_out(world: World) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {}))

    async def judge(**conditions: str) -> list[Json]:
        listed = [{"type": each, "status": status} for each, status in conditions.items()]
        body = world.widget("a", {}) | {"status": {"conditions": listed}}
        judged = await world.api.apply(WIDGETS, body, subresource="status")
        return sorted(judged["status"]["conditions"], key=lambda each: str(each["type"]))

    await judge(Ready="False", Stalled="True")
    assert await judge(Ready="True", Planned="True") == [
        {"type": "Planned", "status": "True"},
        {"type": "Ready", "status": "True"},
    ]


async def test_an_old_version_is_a_conflict(world: World) -> None:
    first = await world.api.apply(WIDGETS, world.widget("a", {"size": 1}))
    await world.api.apply(WIDGETS, world.widget("a", {"size": 2}))
    home = world.namespace
    stale = {"metadata": {"resourceVersion": _version(first)}, "spec": {"size": 3}}
    with pytest.raises(Conflict):
        await world.api.patch(WIDGETS, "a", stale, namespace=home)
    body = world.widget("a", {"size": 3}, resourceVersion=_version(first))
    with pytest.raises(Conflict):
        await world.api.apply(WIDGETS, body)
    with pytest.raises(Conflict):
        await world.api.delete(
            WIDGETS, "a", guard=Guard(resource_version=_version(first)), namespace=home
        )
    with pytest.raises(Conflict):
        await world.api.delete(WIDGETS, "a", guard=Guard(uid=_NO_UID), namespace=home)
    assert (await world.api.get(WIDGETS, "a", namespace=home))["spec"] == {"size": 2}


async def test_what_is_missing_is_not_found(world: World) -> None:
    home = world.namespace
    with pytest.raises(NotFound):
        await world.api.get(WIDGETS, "none", namespace=home)
    with pytest.raises(NotFound):
        await world.api.delete(WIDGETS, "none", namespace=home)
    with pytest.raises(NotFound):
        await world.api.patch(WIDGETS, "none", {"spec": {"size": 1}}, namespace=home)
    with pytest.raises(NotFound) as found:
        await world.api.get(NODES, "none")
    assert str(found.value).startswith("getting Node none: ")


async def test_merge_and_json_patches(world: World) -> None:
    home = world.namespace
    labels = {"escadre.dev/serving": "true", "b": "c"}
    await world.api.apply(WIDGETS, world.widget("a", {"size": 1, "gone": 1}, labels=labels))
    merged = await world.api.patch(
        WIDGETS, "a", {"spec": {"gone": None, "new": [1]}}, namespace=home
    )
    assert merged["spec"] == {"size": 1, "new": [1]}
    path = "/metadata/labels/escadre.dev~1serving"
    guarded = [{"op": "test", "path": path, "value": "true"}, {"op": "remove", "path": path}]
    patched = await world.api.patch(WIDGETS, "a", guarded, namespace=home)
    assert patched["metadata"]["labels"] == {"b": "c"}
    with pytest.raises(Invalid) as failed:
        await world.api.patch(WIDGETS, "a", guarded, namespace=home)
    assert failed.value.status == 422


async def test_lists_come_in_pages_of_one_version(world: World) -> None:
    for number in range(5):
        body = world.widget(f"w{number}", {}, labels={"odd": str(number % 2)})
        await world.api.apply(WIDGETS, body)
    home = world.namespace
    first = await world.api.list_page(WIDGETS, Selection(home), limit=2)
    assert await world.api.delete(WIDGETS, "w3", namespace=home) is None
    second = await world.api.list_page(
        WIDGETS, Selection(home), limit=2, continue_token=first.continue_token
    )
    third = await world.api.list_page(
        WIDGETS, Selection(home), limit=2, continue_token=second.continue_token
    )
    pages = (first, second, third)
    names = [item["metadata"]["name"] for page in pages for item in page.items]
    assert names == ["w0", "w1", "w2", "w3", "w4"]
    assert len({page.resource_version for page in pages}) == 1
    assert third.continue_token == ""
    assert {item["kind"] for item in first.items} == {"Widget"}
    odd = await list_all(world.api, WIDGETS, Selection(home, labels="odd=1"))
    assert [item["metadata"]["name"] for item in odd] == ["w1"]
    one = await list_all(world.api, WIDGETS, Selection(home, fields="metadata.name=w2"))
    assert [item["metadata"]["name"] for item in one] == ["w2"]


async def _watched(
    world: World, version: str, count: int, selector: str | None = None
) -> list[WatchEvent]:
    events: list[WatchEvent] = []
    stream = world.api.watch(
        WIDGETS,
        Selection(world.namespace, labels=selector),
        resource_version=version,
    )
    async with aclosing(stream), asyncio.timeout(60):
        async for event in stream:
            if event.type != "BOOKMARK":
                events.append(event)
            if len(events) == count:
                break
    return events


async def test_a_watch_tells_every_change_after_a_version(world: World) -> None:
    before = await world.api.apply(WIDGETS, world.widget("before", {}))
    start = _version(before)
    await world.api.apply(WIDGETS, world.widget("a", {"size": 1}))
    changed = await world.api.apply(WIDGETS, world.widget("a", {"size": 2}))
    await world.api.delete(WIDGETS, "a", namespace=world.namespace)
    events = await _watched(world, start, 3)
    assert [each.type for each in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[1].object == changed
    assert int(_version(events[2].object)) > int(_version(changed))
    assert events[2].object["metadata"]["uid"] == changed["metadata"]["uid"]


async def test_leaving_the_scope_of_a_watch_is_a_deletion(world: World) -> None:
    start = _version(await world.api.apply(WIDGETS, world.widget("before", {})))
    for label in ("in", "out", "in"):
        await world.api.apply(WIDGETS, world.widget("a", {}, labels={"where": label}))
    left = await world.api.apply(WIDGETS, world.widget("a", {}, labels={"where": "out"}))
    events = await _watched(world, start, 4, "where=in")
    assert [each.type for each in events] == ["ADDED", "DELETED", "ADDED", "DELETED"]
    assert _version(events[3].object) == _version(left)


async def test_a_watch_ends_when_its_time_is_up(world: World) -> None:
    version = _version(await world.api.apply(WIDGETS, world.widget("a", {})))
    stream = world.api.watch(
        WIDGETS, Selection(world.namespace), resource_version=version, timeout_seconds=1
    )
    async with asyncio.timeout(60):
        assert [each.type async for each in stream if each.type != "BOOKMARK"] == []


async def test_a_version_from_long_ago_is_gone(world: World) -> None:
    await world.api.apply(WIDGETS, world.widget("a", {}))
    if world.fake is not None:
        world.fake.compact()
    with pytest.raises(Gone):
        await _watched(world, "1", 1)


async def test_finalizers_hold_a_deleted_object(world: World) -> None:
    home = world.namespace
    held = world.widget("a", {}, finalizers=["conformance.escadre.test/hold"])
    start = _version(await world.api.apply(WIDGETS, held))
    going = await world.api.delete(WIDGETS, "a", namespace=home)
    again = await world.api.delete(WIDGETS, "a", namespace=home)  # a second time is no error
    dying = await world.api.get(WIDGETS, "a", namespace=home)
    assert going == again == dying
    assert dying["metadata"]["deletionTimestamp"]
    assert dying["metadata"]["generation"] == 2
    await world.api.patch(WIDGETS, "a", {"metadata": {"finalizers": None}}, namespace=home)
    with pytest.raises(NotFound):
        await world.api.get(WIDGETS, "a", namespace=home)
    types = [each.type for each in await _watched(world, start, 2)]
    assert types == ["MODIFIED", "DELETED"]


async def test_dependents_of_a_vanished_owner_are_collected(world: World) -> None:
    named = {"apiVersion": "v1", "kind": "ConfigMap"}
    owner = await world.api.apply(CONFIG_MAPS, named | {"metadata": world.named("owner")})
    reference = named | {"name": "owner", "uid": owner["metadata"]["uid"]}
    child = named | {"metadata": world.named("child", ownerReferences=[reference])}
    await world.api.apply(CONFIG_MAPS, child)
    home = world.namespace
    await world.api.delete(CONFIG_MAPS, "owner", namespace=home)

    async def collected() -> bool:
        ours = "metadata.name=child"
        return not await list_all(world.api, CONFIG_MAPS, Selection(home, fields=ours))

    await world.eventually(collected, 60)


async def test_a_claim_in_use_terminates_only_after_its_pod(world: World) -> None:
    home = world.namespace
    claim = {
        "metadata": world.named("data"),
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "volumeName": "missing",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    mount = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    pod = {
        "metadata": world.named("user"),
        "spec": {
            "nodeName": "cpu-0",  # a pod that is not bound to a node does not use its claims
            "containers": [{"name": "c", "image": "example.test/none"}],
            "volumes": [mount],
        },
    }
    named = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    await world.api.apply(PERSISTENT_VOLUME_CLAIMS, named | claim, create_only=True)
    await world.api.create(PODS, {"apiVersion": "v1", "kind": "Pod"} | pod)
    await world.api.delete(PERSISTENT_VOLUME_CLAIMS, "data", namespace=home)
    dying = await world.api.get(PERSISTENT_VOLUME_CLAIMS, "data", namespace=home)
    assert dying["metadata"]["deletionTimestamp"]
    await world.api.delete(PODS, "user", grace_seconds=0, namespace=home)

    async def gone() -> bool:
        return not await list_all(world.api, PERSISTENT_VOLUME_CLAIMS, Selection(home))

    await world.eventually(gone, 60)


async def test_nothing_new_in_a_terminating_namespace(world: World) -> None:
    held = world.widget("a", {}, finalizers=["conformance.escadre.test/hold"])
    await world.api.apply(WIDGETS, held)
    await world.api.delete(NAMESPACES, world.namespace)
    with pytest.raises(Forbidden) as refused:
        await world.api.apply(WIDGETS, world.widget("b", {}), create_only=True)
    assert refused.value.namespace_terminating
    release = {"metadata": {"finalizers": None}}
    await world.api.patch(WIDGETS, "a", release, namespace=world.namespace)


def _workload(world: World, env: dict[str, str], app: str = "a") -> Json:
    container = {
        "name": "engine",
        "image": "example.test/none",
        "env": [{"name": name, "value": value} for name, value in env.items()],
    }
    labels = {"app": app}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": world.named("a"),
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def test_a_workload_gets_defaults_and_loses_what_is_dropped(world: World) -> None:
    await world.api.apply(DEPLOYMENTS, _workload(world, {"A": "1", "B": "2"}), create_only=True)
    applied = await world.api.apply(DEPLOYMENTS, _workload(world, {"B": "3", "C": "4"}))
    assert applied["spec"]["progressDeadlineSeconds"] == 600
    (container,) = applied["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    with pytest.raises(Invalid):
        await world.api.apply(DEPLOYMENTS, _workload(world, {}, app="b"))


async def test_a_lease_may_be_given_up(world: World) -> None:
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15}
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": world.named("leader"),
        "spec": spec | {"renewTime": "2026-01-01T00:00:00.000000Z", "leaseTransitions": 0},
    }
    created = await world.api.create(LEASES, body)
    with pytest.raises(Conflict) as twice:
        await world.api.create(LEASES, body)
    assert twice.value.already_exists
    free = {
        "metadata": {"resourceVersion": _version(created)},
        "spec": {"holderIdentity": "", "leaseDurationSeconds": 1},
    }
    freed = await world.api.patch(LEASES, "leader", free, namespace=world.namespace)
    assert freed["spec"]["holderIdentity"] == ""
    with pytest.raises(Conflict):
        await world.api.patch(LEASES, "leader", free, namespace=world.namespace)


async def test_config_maps_have_no_generation(world: World) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": world.named("a"),
        "data": {"a": "1"},
    }
    created = await world.api.apply(CONFIG_MAPS, body)
    assert "generation" not in created["metadata"]
    changed = await world.api.apply(CONFIG_MAPS, body | {"data": {"b": "1"}})
    assert changed["data"] == {"b": "1"}


async def test_reviews_of_oneself(world: World) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await world.api.create(SELF_SUBJECT_REVIEWS, review)
    assert answer["status"]["userInfo"]["username"]
    wanted = {"group": "escadre.dev", "resource": "modelapprovals", "verb": "approve"}
    asked = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    allowed = await world.api.create(SELF_SUBJECT_ACCESS_REVIEWS, asked)
    assert allowed["status"]["allowed"] is True


async def test_the_server_tells_its_version(world: World) -> None:
    assert (await world.api.version())["gitVersion"].startswith("v1.")


async def test_the_log_of_a_pod_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound) as missing:
        await world.api.log("nobody", "engine", namespace=world.namespace)
    assert "nobody" in str(missing.value)
