"""A ModelMirror's status, and pulls that an invalid one holds up."""

from typing import Any

from tests.controller.operator import Operator
from tests.controller.world import DIGEST, World

from escadre.clients.kube import GPU_NODES, MODEL_MIRRORS, NODES
from escadre.controller.keys import FLEET, mirror_key, node_key
from escadre.controller.manager import reconcile
from escadre.core.fleet.election import elected
from escadre.core.fleet.wants import MAX_MIRRORS

SPEC = {"type": "http", "url": "http://mirror.example", "maxConcurrentPulls": 4}


def mirror(world: World) -> dict[str, dict[str, Any]]:
    """Its conditions by type."""
    found = world.server.get(MODEL_MIRRORS, "internal")
    assert found is not None
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    return {one["type"]: one for one in found["status"]["conditions"]}


def put(world: World, **spec: Any) -> None:
    known = world.server.get(MODEL_MIRRORS, "internal") or {}
    world.server.put(MODEL_MIRRORS, {**known, "metadata": {"name": "internal"}, "spec": spec})


async def started(world: World) -> Operator:
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.round()
    await operator.round()
    return operator


async def test_one_that_can_be_used_is_ready_and_nothing_more_is_written() -> None:
    world = World()
    operator = await started(world)
    assert (mirror(world)["Ready"]["status"], set(mirror(world))) == ("True", {"Ready"})
    await operator.settle()
    before = len(operator.api.writes)
    await operator.round()
    assert operator.api.writes[before:] == []


async def test_one_that_cannot_be_read_is_stalled_and_named_by_who_waits_for_it() -> None:
    world = World()
    put(world, **{**SPEC, "type": "ftp"})
    await started(world)
    assert mirror(world)["Stalled"]["reason"] == "MirrorInvalid"
    assert "spec.type" in mirror(world)["Ready"]["message"]
    waits = world.condition("WeightsReady")
    assert (waits["status"], waits["reason"]) == ("False", "MirrorInvalid")
    assert waits["message"].endswith(f"ModelMirror internal: {mirror(world)['Ready']['message']}")


async def test_a_node_that_fails_to_pull_from_it_is_told_and_forgotten_when_it_can() -> None:
    world = World()
    operator = await started(world)
    told = world.server.all(GPU_NODES)[0]
    name = told["metadata"]["name"]
    entry = {
        "manifestDigest": DIGEST,
        "storeID": "s",
        "state": "Failed",
        "mirror": "internal",
        "reason": "Unauthorized",
        "message": "GET http://mirror.example/x: 401",
        "since": "2026-11-22T06:15:00Z",
    }
    status = told.get("status") or {}
    world.server.put(GPU_NODES, {**told, "status": {**status, "weights": [entry]}})
    await operator.round()
    assert mirror(world)["Ready"]["reason"] == "Unauthorized"
    assert f"node {name}: GET http://mirror.example/x: 401" in mirror(world)["Ready"]["message"]
    assert mirror(world)["Stalled"]["status"] == "True"
    world.server.put(GPU_NODES, {**told, "status": {**status, "weights": []}})
    await operator.round()
    assert mirror(world)["Reconciling"]["reason"] == "MirrorDoubted"
    world.probed = {"ranges": True}
    await operator.settle()
    assert set(mirror(world)) == {"Ready"}


def probes(world: World) -> dict[str, list[dict[str, Any]]]:
    """What each node is asked to probe."""
    return {
        one["metadata"]["name"]: one.get("spec", {}).get("probes") or []
        for one in world.server.all(GPU_NODES)
    }


def asked(world: World) -> str:
    """The one node that is asked."""
    (name,) = [name for name, asked in probes(world).items() if asked]
    return name


async def test_one_node_asks_for_all_and_what_it_found_is_told() -> None:
    world = World(nodes=4)
    operator = await started(world)
    await operator.settle()
    node = asked(world)
    (wanted,) = probes(world)[node]
    assert (wanted["mirror"], wanted["approval"]) == ("internal", "small")
    assert f"node {node} is to ask it" in mirror(world)["Ready"]["message"]
    world.probed = {"ranges": True, "firstByteMilliseconds": 120, "bytesPerSecond": 310_000_000}
    await operator.settle()
    ready = mirror(world)["Ready"]
    assert (ready["status"], ready["reason"]) == ("True", "MirrorAnswers")
    found = world.server.get(MODEL_MIRRORS, "internal")
    assert found is not None
    assert (found["status"]["probe"]["node"], found["status"]["probe"]["ranges"]) == (node, True)
    before = len(operator.api.writes)
    await operator.settle()
    assert operator.api.writes[before:] == []


async def test_a_node_that_is_told_nothing_new_is_not_the_one_to_ask() -> None:
    """Its device plugin is down, so that the plan does not know it; its agent works."""
    world = World(nodes=2)
    operator = Operator.start(world)
    await operator.settle()
    drawn = elected("internal", ["gpu-0", "gpu-1"])
    (node,) = [one for one in world.server.all(NODES) if one["metadata"]["name"] == drawn]
    allocatable = {"nvidia.com/gpu": "0"}
    world.server.put(NODES, {**node, "status": {**node["status"], "allocatable": allocatable}})
    world.approve()
    await operator.settle()
    assert asked(world) != drawn


async def test_a_probe_that_fails_is_the_mirror_s_state() -> None:
    world = World()
    operator = await started(world)
    await operator.settle()
    world.probed = {"reason": "MirrorUnavailable", "message": "connecting: refused"}
    await operator.settle()
    ready = mirror(world)["Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "MirrorUnavailable")
    assert "connecting: refused" in ready["message"]


async def test_another_generation_is_asked_for_anew_and_old_words_do_not_stand() -> None:
    world = World()
    operator = await started(world)
    await operator.settle()
    world.probed = {"ranges": True}
    await operator.settle()
    assert mirror(world)["Ready"]["reason"] == "MirrorAnswers"
    world.probed = None
    put(world, **{**SPEC, "url": "http://other.example"})
    await operator.settle()
    assert mirror(world)["Ready"]["reason"] == "MirrorAccepted"
    (wanted,) = probes(world)[asked(world)]
    (source,) = next(
        one["spec"]["mirrors"]
        for one in world.server.all(GPU_NODES)
        if one["metadata"]["name"] == asked(world)
    )
    assert (source["url"], source["generation"]) == ("http://other.example", wanted["generation"])


async def test_a_mirror_that_goes_is_asked_no_more() -> None:
    world = World()
    operator = await started(world)
    await operator.settle()
    assert asked(world)
    world.server.remove(MODEL_MIRRORS, "internal")
    await operator.context.caches.mirrors.refresh()
    await reconcile(operator.context, mirror_key("internal"))
    await operator.settle()
    assert not any(probes(world).values())


async def test_one_that_is_made_anew_elsewhere_reaches_the_nodes_that_pull_from_it() -> None:
    """Its generation is the first again, so no entry of weights says another thing."""
    world = World()
    operator = await started(world)
    await operator.settle()
    world.server.remove(MODEL_MIRRORS, "internal")
    elsewhere = {**SPEC, "url": "http://other.example"}
    world.server.put(MODEL_MIRRORS, {"metadata": {"name": "internal"}, "spec": elsewhere})
    await operator.context.caches.mirrors.refresh()
    operator.woken.clear()
    await reconcile(operator.context, FLEET)
    holding = [one for one in world.server.all(GPU_NODES) if one["spec"]["weights"]]
    assert holding
    assert {node_key(one["metadata"]["name"]) for one in holding} <= operator.woken
    await operator.settle()
    urls = [
        one["spec"]["mirrors"][0]["url"]
        for one in world.server.all(GPU_NODES)
        if one["spec"]["weights"]
    ]
    assert set(urls) == {"http://other.example"}


async def test_without_an_approval_that_holds_nothing_is_asked() -> None:
    world = World()
    operator = Operator.start(world)
    await operator.settle()
    assert not any(probes(world).values())
    assert "no ModelApproval that holds names it" in mirror(world)["Ready"]["message"]
    world.approve()
    await operator.settle()
    assert asked(world)


async def test_what_was_found_before_a_pull_failed_counts_no_more() -> None:
    """Also when another mirror helped meanwhile: one asks again, and says what it finds."""
    world = World()
    world.probed = {"ranges": True}
    operator = await started(world)
    await operator.settle()
    assert mirror(world)["Ready"]["reason"] == "MirrorAnswers"
    world.probed = None
    told = world.server.all(GPU_NODES)[0]
    entry = {
        "manifestDigest": DIGEST,
        "storeID": "s",
        "state": "Failed",
        "mirror": "internal",
        "reason": "MirrorSlow",
        "message": "no byte for 60 s",
        "since": "2026-11-22T06:15:00Z",
    }
    world.server.put(GPU_NODES, {**told, "status": {**told["status"], "weights": [entry]}})
    await operator.round()
    assert mirror(world)["Ready"]["reason"] == "MirrorSlow"
    fails, probes_of_now = world.server.all(GPU_NODES)[0], probes(world)
    world.server.advance(60)
    for _ in range(2):
        await Operator.start(world).round()
        world.server.put(GPU_NODES, {**world.server.all(GPU_NODES)[0], "status": fails["status"]})
    assert probes(world) == probes_of_now, "who begins to lead asks nobody anew"
    await operator.settle()  # the agent pulls from elsewhere, or again
    assert mirror(world)["Ready"]["reason"] == "MirrorDoubted"
    world.probed = {"reason": "MirrorSlow", "message": "no byte for 60 s"}
    await operator.settle()
    assert mirror(world)["Ready"]["status"] == "False"
    before = len(operator.api.writes)
    again = Operator.start(world)
    await again.settle()
    assert mirror(world)["Ready"]["status"] == "False"
    assert len(operator.api.writes) == before
    assert again.api.writes == []


async def test_a_node_is_told_of_no_more_mirrors_to_ask_than_its_object_holds() -> None:
    """With a CA bundle each, more of them would be an object that the API server refuses."""
    world = World(nodes=1)
    names = [f"m{number:02}" for number in range(MAX_MIRRORS)]
    for name in names:
        world.server.put(MODEL_MIRRORS, {"metadata": {"name": name}, "spec": SPEC})
    for number in (0, 8):
        world.approve(f"asked-{number}", mirrors=names[number : number + 8])
    operator = await started(world)  # its weights are on another one: internal
    await operator.settle()
    told = world.server.all(GPU_NODES)[0]["spec"]
    assert [one["name"] for one in told["mirrors"]] == ["internal", *names[:-1]]
    assert [one["mirror"] for one in told["probes"]] == ["internal", *names[:-1]]
    assert message(world, names[-1]).endswith(
        "every node with a ready agent is told of 16 mirrors already, the most that a GPUNode holds"
    )
    before = len(operator.api.writes)
    await operator.settle()
    assert operator.api.writes[before:] == []
    world.server.remove(MODEL_MIRRORS, names[0])
    await operator.context.caches.mirrors.refresh()
    await reconcile(operator.context, mirror_key(names[0]))
    await operator.settle()
    assert "is to ask it" in message(world, names[-1])


def message(world: World, name: str) -> str:
    """What a mirror's Ready says."""
    found = world.server.get(MODEL_MIRRORS, name)
    assert found is not None
    return next(
        str(one["message"]) for one in found["status"]["conditions"] if one["type"] == "Ready"
    )


async def test_a_mirror_made_anew_with_the_same_generation_is_asked_anew() -> None:
    """What was found of the other one, and its doubts, are not its own."""
    world = World()
    operator = await started(world)
    world.probed = {"ranges": True}
    await operator.settle()
    assert mirror(world)["Ready"]["reason"] == "MirrorAnswers"
    before = world.server.get(MODEL_MIRRORS, "internal")
    assert before is not None
    # The node has not asked again yet: what it says is of the other one.
    world.probed = {"ranges": True, "mirrorUID": before["metadata"]["uid"]}
    world.server.remove(MODEL_MIRRORS, "internal")
    world.server.put(
        MODEL_MIRRORS,
        {"metadata": {"name": "internal"}, "spec": {**SPEC, "url": "http://other.example"}},
    )
    await operator.round()
    await operator.round()
    after = world.server.get(MODEL_MIRRORS, "internal")
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert mirror(world)["Ready"]["reason"] == "MirrorAccepted"
    assert "probe" not in after["status"]
    (wanted,) = probes(world)[asked(world)]
    assert wanted["mirrorUID"] == after["metadata"]["uid"] != before["metadata"]["uid"]
    world.probed = {"ranges": False}
    await operator.settle()
    found = world.server.get(MODEL_MIRRORS, "internal")
    assert found is not None
    assert found["status"]["probe"]["ranges"] is False


async def test_where_a_mirror_sends_its_readers_is_in_its_status() -> None:
    world = World()
    operator = await started(world)
    hosts = ["cdn.bank.example", "s3.bank.example:9000"]
    world.probed = {"ranges": True, "redirectHosts": hosts}
    await operator.settle()
    found = world.server.get(MODEL_MIRRORS, "internal")
    assert found is not None
    assert found["status"]["probe"]["redirectHosts"] == hosts
    assert mirror(world)["Ready"]["message"].endswith(
        "in byte ranges; sent on to cdn.bank.example, s3.bank.example:9000"
    )
