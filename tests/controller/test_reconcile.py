"""The reconciler in a small world: from a wish to serving, and what comes in between."""

import json
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs
from tests.controller.operator import Operator
from tests.controller.world import DIGEST, OTHER_DIGEST, World

from escadre import reasons
from escadre.clients.kube import (
    DEPLOYMENTS,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    NETWORK_POLICIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    SERVICES,
)
from escadre.controller.keys import FLEET, approval_key, deployment_key, node_key
from escadre.controller.manager import reconcile
from escadre.core.facts.deployment import DeploymentKey
from escadre.names import ANNOTATION_TEMPLATE, LABEL_SERVING, claim_name, node_weights_label
from escadre.settings import EngineSettings, Settings

Json = dict[str, Any]


async def serving(world: World, **spec: Any) -> Operator:
    """A world with a deployment ``chat`` that serves."""
    world.approve()
    world.deploy(**spec)
    operator = Operator.start(world)
    await operator.settle()
    assert world.condition("Ready")["status"] == "True", world.condition("Ready")
    return operator


def workloads(world: World) -> dict[str, Json]:
    return {one["metadata"]["name"]: one for one in world.server.all(DEPLOYMENTS)}


async def test_a_pod_that_was_bound_elsewhere_is_told_and_its_workload_left_alone() -> None:
    world = World()
    operator = await serving(world)
    before = workloads(world)["chat-0"]
    (pod,) = world.pods()
    other = {"gpu-0": "gpu-1", "gpu-1": "gpu-0"}[pod["spec"]["nodeName"]]
    pod["spec"]["nodeName"] = other
    world.server.put(PODS, pod)
    await operator.settle()
    assert (
        workloads(world)["chat-0"]["metadata"]["resourceVersion"]
        == (before["metadata"]["resourceVersion"])
    )
    assert world.mdep()["status"]["replicas"]["items"][0]["node"] == other


async def test_a_wish_becomes_a_serving_replica_and_then_nothing_is_written() -> None:
    world = World()
    operator = await serving(world)
    status = world.mdep()["status"]
    assert status["url"] == "http://chat.team.svc/v1"
    assert status["plan"]["summary"] == "1×H100 tp1"
    assert status["replicas"]["summary"] == "1/1"
    assert status["approval"]["manifestDigest"] == DIGEST
    types = {one["type"] for one in status["conditions"]}
    assert types == {
        "Ready",
        "Available",
        "Approved",
        "Planned",
        "WeightsReady",
        "Scheduled",
        "Serving",
        "Scaling",
    }
    written = len(operator.api.writes)
    for _ in range(3):
        world.server.advance(60)
        await operator.round()
    assert operator.api.writes[written:] == []
    again = Operator.start(world)
    await again.round()
    await again.round()
    assert again.api.writes == []


async def test_only_the_nodes_of_replicas_get_the_weights_and_their_label() -> None:
    world = World(nodes=3)
    await serving(world)
    labelled = [
        node["metadata"]["name"]
        for node in world.server.all(NODES)
        if node_weights_label(DIGEST) in node["metadata"]["labels"]
    ]
    assert len(labelled) == 1


async def test_without_signatures_nothing_is_made_but_what_fronts_it() -> None:
    world = World()
    world.approve(signers=("anna",))
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "SignaturesMissing")
    assert "1 of 2" in ready["message"]
    assert "escadre approve sign" in ready["message"]
    assert workloads(world) == {}
    world.sign("small", "bruno", "Approve")
    await operator.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_an_approval_that_ends_soon_is_said_to_be_expiring_once() -> None:
    world = World()
    now = world.server.now
    soon = (now + timedelta(days=13)).strftime("%Y-%m-%dT%H:%M:%SZ")
    later = (now + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world.approve("soon", notAfter=soon)
    world.approve("later", notAfter=later)
    operator = Operator.start(world)
    for _ in range(3):
        await operator.round()
    told = {}
    for name in ("soon", "later"):
        stored = world.server.get(MODEL_APPROVALS, name)
        assert stored is not None
        told[name] = {one["type"]: one for one in stored["status"]["conditions"]}
    assert told["soon"]["Approved"]["status"] == "True"
    assert told["soon"]["Expiring"]["status"] == "True"
    assert f"ends at {soon}, in less than 14 days" in told["soon"]["Expiring"]["message"]
    assert "Expiring" not in told["later"]


async def test_who_uses_an_approval_that_ends_soon_is_told_when_that_begins() -> None:
    world = World()
    end = world.server.now + timedelta(days=15)
    world.approve(notAfter=end.strftime("%Y-%m-%dT%H:%M:%SZ"))
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    assert world.condition("Approved")["message"].endswith(end.strftime("until %Y-%m-%dT%H:%M:%SZ"))
    world.server.advance(86400 + 600)
    await operator.context.caches.approvals.refresh()
    operator.woken.clear()
    await reconcile(operator.context, approval_key("small"))
    assert deployment_key("team", "chat") in operator.woken
    await operator.round()
    world.server.advance(2)
    await operator.round()
    assert world.condition("Approved")["status"] == "True"
    assert world.condition("Approved")["message"].endswith("Z, which is in less than 14 days")
    assert world.condition("Ready")["status"] == "True"


async def test_a_revoked_approval_keeps_what_runs_and_makes_nothing_new() -> None:
    world = World()
    operator = await serving(world, scaling={"minReplicas": 1, "maxReplicas": 3})
    world.sign("small", "carla", "Revoke")
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 3})
    await operator.settle()
    assert len(workloads(world)) == 1
    approved = world.condition("Approved")
    assert (approved["status"], approved["reason"]) == ("False", "Revoked")
    assert "carla" in approved["message"]
    # The pod is lost; its own workload makes it again, and it finds its node.
    for pod in world.pods():
        world.server.remove(PODS, pod["metadata"]["name"], "team")
    await operator.settle()
    assert [pod["status"]["phase"] for pod in world.pods()] == ["Running"]


async def test_what_serves_is_available_and_not_ready_when_its_approval_is_gone() -> None:
    world = World()
    operator = await serving(world)
    world.server.remove(MODEL_APPROVALS, "small")
    await operator.settle()
    for type_, status in (("Ready", "False"), ("Stalled", "True"), ("Available", "True")):
        assert world.condition(type_)["status"] == status
    assert world.condition("Approved")["reason"] == reasons.APPROVAL_NOT_FOUND.name


async def test_an_approval_made_again_with_other_bytes_changes_nothing_that_runs() -> None:
    world = World()
    operator = await serving(world)
    world.server.remove(MODEL_APPROVALS, "small")
    world.approve(signers=(), digest=OTHER_DIGEST)
    await operator.settle()
    assert world.condition("Approved")["reason"] == reasons.SIGNATURES_MISSING.name
    (workload,) = workloads(world).values()
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    claims = [
        one["persistentVolumeClaim"]["claimName"]
        for one in volumes
        if "persistentVolumeClaim" in one
    ]
    assert claims == [claim_name("chat", DIGEST)]
    assert world.condition("Ready")["reason"] == reasons.SIGNATURES_MISSING.name
    assert world.condition("Available")["status"] == "True"


async def test_a_new_digest_rolls_out_one_slot_at_a_time_without_a_spare_gpu() -> None:
    world = World(nodes=1, gpus=2)
    operator = await serving(world, scaling={"minReplicas": 2, "maxReplicas": 2})
    world.approve("newer", digest=OTHER_DIGEST)
    world.deploy(approval="newer")
    least = 2
    for _ in range(40):
        world.server.advance(1)
        world.step()
        await operator.round()
        serving_now = sum(
            pod["status"]["phase"] == "Running"
            and pod["metadata"]["labels"].get(LABEL_SERVING) == "true"
            for pod in world.pods()
        )
        least = min(least, serving_now)
    assert least == 1
    await operator.settle()
    labels = {one["metadata"]["labels"]["escadre.dev/manifest"] for one in world.pods()}
    assert labels == {"2" * 16}
    assert [one["metadata"]["name"] for one in world.server.all(PERSISTENT_VOLUME_CLAIMS)] == [
        claim_name("chat", OTHER_DIGEST)
    ]
    assert len(world.server.all(PERSISTENT_VOLUMES)) == 1
    assert world.condition("Reconciling") == {}


async def test_a_rollout_waits_for_verified_weights_and_the_old_replicas_serve_on() -> None:
    world = World(nodes=1)
    operator = await serving(world)
    world.pulls = False
    world.approve("newer", digest=OTHER_DIGEST)
    world.deploy(approval="newer")
    await operator.settle()
    assert world.condition("Reconciling")["reason"] == reasons.PULLING.name
    assert [pod["metadata"]["labels"][LABEL_SERVING] for pod in world.pods()] == ["true"]
    world.pulls = True
    await operator.settle()
    assert world.condition("Ready")["status"] == "True"


async def test_another_rendering_restarts_no_engine_but_other_inputs_do() -> None:
    world = World()
    await serving(world)
    (before,) = world.pods()
    workload = workloads(world)["chat-0"]
    template = json.loads(workload["metadata"]["annotations"][ANNOTATION_TEMPLATE])
    assert template == workload["spec"]["template"] or template["spec"]
    # A platform value that is an input: the image.
    world.settings = Settings(
        engine=EngineSettings(image="registry.example/vllm@sha256:" + "f" * 64)
    )
    operator = Operator.start(world)
    await operator.settle()
    (after,) = world.pods()
    assert after["metadata"]["name"] != before["metadata"]["name"]


async def test_a_new_operator_that_renders_otherwise_restarts_nothing(
    monkeypatch: Any,
) -> None:
    world = World()
    await serving(world)
    before = [pod["metadata"]["uid"] for pod in world.pods()]
    monkeypatch.setattr("escadre.render.replica.PRE_STOP_SECONDS", 9)
    operator = Operator.start(world)
    await operator.settle()
    assert [pod["metadata"]["uid"] for pod in world.pods()] == before
    assert operator.api.writes == []


async def test_hand_edits_of_children_are_mended() -> None:
    world = World()
    operator = await serving(world)
    workload = workloads(world)["chat-0"]
    container = workload["spec"]["template"]["spec"]["containers"][0]
    container["args"] = [*container["args"], "--trust-remote-code"]
    container["env"] = [*container["env"], {"name": "VLLM_ALLOW_ANYTHING", "value": "1"}]
    world.server.put(DEPLOYMENTS, workload)
    service = world.server.get(SERVICES, "chat", "team")
    assert service is not None
    service["spec"]["selector"] = {"app": "other"}
    world.server.put(SERVICES, service)
    world.server.remove(NETWORK_POLICIES, "chat", "team")
    await operator.settle()
    container = workloads(world)["chat-0"]["spec"]["template"]["spec"]["containers"][0]
    assert "--trust-remote-code" not in container["args"]
    assert "VLLM_ALLOW_ANYTHING" not in {one["name"] for one in container["env"]}
    service = world.server.get(SERVICES, "chat", "team")
    assert service is not None
    assert service["spec"]["selector"][LABEL_SERVING] == "true"
    assert world.server.get(NETWORK_POLICIES, "chat", "team") is not None


async def test_a_foreign_service_of_that_name_is_left_alone_and_named() -> None:
    world = World()
    world.server.put(
        SERVICES,
        {"metadata": {"name": "chat", "namespace": "team"}, "spec": {"selector": {"app": "x"}}},
    )
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    service = world.server.get(SERVICES, "chat", "team")
    assert service is not None
    assert service["spec"]["selector"] == {"app": "x"}
    ready = world.condition("Ready")
    assert ready["reason"] == reasons.NAME_TAKEN.name
    assert "Service team/chat" in ready["message"]


async def test_demand_raises_and_lowers_the_number_and_the_victim_drains_first() -> None:
    world = World()
    operator = await serving(
        world, scaling={"minReplicas": 1, "maxReplicas": 3, "targetQueueDepth": 4}
    )
    world.demand["chat"] = 9
    await operator.round()
    operator.judge()
    await operator.settle()
    assert len(workloads(world)) == 3
    world.demand["chat"] = 0
    drained = False
    for _ in range(400):
        world.server.advance(3)
        world.step()
        await operator.round()
        operator.judge()
        drained |= any(LABEL_SERVING not in one["metadata"]["labels"] for one in world.pods())
        if len(workloads(world)) == 1:
            break
    assert drained
    assert len(workloads(world)) == 1
    last = world.mdep()["status"]["lastScale"]
    assert last["to"] == 1
    assert last["reason"] == reasons.DEMAND_DOWN.name


async def test_no_gpus_left_is_said_with_numbers_and_nothing_is_made() -> None:
    world = World(nodes=1, gpus=1)
    operator = await serving(world)
    world.deploy("second")
    await operator.settle()
    planned = world.condition("Planned", "second")
    assert (planned["status"], planned["reason"]) == ("False", "InsufficientGPUs")
    assert "second-0" not in workloads(world)


async def test_a_context_longer_than_the_model_is_stalled_until_edited() -> None:
    world = World()
    world.approve()
    world.deploy(contextLength=10_000_000)
    operator = Operator.start(world)
    await operator.settle()
    assert world.condition("Stalled")["reason"] == reasons.CONTEXT_TOO_LONG.name
    world.deploy(contextLength=32768)
    await operator.settle()
    assert world.condition("Stalled") == {}
    assert world.condition("Ready")["status"] == "True"


async def test_a_wish_that_cannot_be_met_replaces_nothing_that_serves() -> None:
    world = World()
    operator = await serving(world)
    (before,) = world.pods()
    world.deploy(contextLength=10_000_000)
    await operator.settle()
    assert world.pods() == [before]
    assert world.condition("Stalled")["reason"] == reasons.CONTEXT_TOO_LONG.name
    ready = world.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ContextTooLong")
    serving_now = world.condition("Serving")
    assert serving_now["reason"] == reasons.ROLLING_OUT.name
    assert "1 on any, 1 to replace" in serving_now["message"]
    world.deploy(contextLength=32768)
    await operator.settle()
    assert world.pods() == [before]
    assert world.condition("Ready")["status"] == "True"


async def test_an_engine_that_exits_explains_itself_in_ready() -> None:
    world = World()
    world.failing.add("chat-0")
    world.approve()
    world.deploy()
    operator = Operator.start(world)
    await operator.settle()
    ready = world.condition("Ready")
    assert ready["reason"] == reasons.ENGINE_FAILING.name
    assert "too long" in ready["message"]


async def test_an_engine_that_hangs_says_when_it_is_started_again_and_then_whose_move_it_is() -> (
    None
):
    world = World()
    operator = await serving(world)
    (pod,) = world.pods()
    now = world.server.now
    began, turned = now - timedelta(hours=1), now - timedelta(seconds=5)
    engine = {
        "state": {"running": {"startedAt": began.isoformat()}},
        "started": True,
        "ready": False,
    }
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": turned.isoformat()}
    status = {**pod["status"], "conditions": [ready], "containerStatuses": [engine]}
    world.server.status(PODS, pod["metadata"]["name"], "team", status)
    await operator.round()
    told = world.condition("Serving")
    assert told["reason"] == reasons.NOT_RESPONDING.name
    assert f"chat-0 was ready until {turned:%H:%M:%S} UTC" in told["message"]
    assert "at failure 6 of 6, about" in told["message"]
    world.server.now = now + timedelta(minutes=3)
    await operator.round()
    told = world.condition("Serving")
    assert told["reason"] == reasons.ENGINE_FAILING.name
    assert "and did not" in told["message"]


def leave(world: World, *, started: bool, grace: int = 335) -> None:
    """The pod is being deleted by somebody; its engine loads, or has served."""
    (pod,) = world.pods()
    pod["metadata"]["finalizers"] = ["example.com/kubelet"]
    world.server.put(PODS, pod)
    name, turned = pod["metadata"]["name"], "2026-11-22T06:00:00Z"
    engine = {"state": {"running": {"startedAt": turned}}, "started": started, "ready": False}
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": turned}
    status = {**pod["status"], "conditions": [ready], "containerStatuses": [engine]}
    world.server.status(PODS, name, "team", status)
    world.server.delete(PODS, name, namespace="team", grace=grace)


async def test_a_pod_that_leaves_while_it_loads_gives_its_gpus_back_soon() -> None:
    world = World()
    operator = await serving(world)
    leave(world, started=False)
    await operator.round()
    (pod,) = world.pods()
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 10
    version = pod["metadata"]["resourceVersion"]
    await operator.round()
    assert world.pods()[0]["metadata"]["resourceVersion"] == version


async def test_so_does_a_pod_whose_deployment_is_gone() -> None:
    world = World()
    operator = await serving(world)
    leave(world, started=False)
    world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    await operator.round()
    (pod,) = world.pods()
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 10


async def test_a_pod_that_served_keeps_its_time_to_drain() -> None:
    world = World()
    operator = await serving(world)
    leave(world, started=True)
    await operator.round()
    assert world.pods()[0]["metadata"]["deletionGracePeriodSeconds"] == 335


async def test_volumes_of_a_deployment_deleted_while_the_operator_was_down_are_pruned() -> None:
    world = World()
    await serving(world)
    world.server.remove(MODEL_DEPLOYMENTS, "chat", "team")
    world.server.collect_garbage()
    assert len(world.server.all(PERSISTENT_VOLUMES)) == 1
    operator = Operator.start(world)
    await operator.settle()
    assert world.server.all(PERSISTENT_VOLUMES) == []


async def test_a_node_that_was_imaged_anew_loses_its_label() -> None:
    world = World(nodes=1)
    operator = await serving(world)
    node = world.server.get(NODES, "gpu-0")
    assert node is not None
    node["status"]["nodeInfo"]["bootID"] = "another"
    world.server.put(NODES, node)
    await operator.round()
    node = world.server.get(NODES, "gpu-0")
    assert node is not None
    assert node_weights_label(DIGEST) not in node["metadata"]["labels"]


async def test_a_spec_of_another_version_is_refused_in_words_and_what_runs_stays() -> None:
    world = World()
    operator = await serving(world)
    world.deploy(contextLength="long")
    await operator.settle()
    assert world.condition("Stalled")["reason"] == reasons.INVALID_SPEC.name
    assert "contextLength" in world.condition("Stalled")["message"]
    assert len(workloads(world)) == 1


async def test_the_first_plan_of_a_new_wish_has_its_replicas() -> None:
    world = World()
    world.approve()
    world.deploy(scaling={"minReplicas": 2, "maxReplicas": 3})
    operator = Operator.start(world)
    world.step()
    for informer in operator.context.caches.all():
        await informer.refresh()
    for node in ("gpu-0", "gpu-1"):
        await reconcile(operator.context, node_key(node))
    await reconcile(operator.context, FLEET)
    plan = operator.context.memory.plan_of(DeploymentKey("team", "chat"))
    assert plan is not None
    assert [slot.node is not None for slot in plan.slots] == [True, True]


async def test_nothing_is_remembered_of_objects_that_are_gone() -> None:
    world = World()
    operator = await serving(world)
    memory = operator.context.memory
    kept = ("scaled", "status_written", "told")
    assert all(getattr(memory, name) for name in kept)
    assert operator.context.gather.deployments
    world.server.delete(MODEL_DEPLOYMENTS, "chat", namespace="team")
    world.server.delete(MODEL_APPROVALS, "small")
    world.server.delete(MODEL_MIRRORS, "internal")
    await operator.settle()
    assert not world.pods()
    assert {name: getattr(memory, name) for name in kept} == {name: {} for name in kept}
    assert not operator.context.gather.deployments
    assert not operator.context.gather.replicas


async def test_a_child_deleted_by_hand_is_made_again_and_told_of() -> None:
    world = World()
    operator = await serving(world)
    with capture_logs() as told:
        for resource in (SERVICES, NETWORK_POLICIES):
            world.server.delete(resource, "chat", namespace="team")
        await operator.settle()
    assert {one["event"] for one in told if one["reason"] == reasons.CHILD_MENDED.name} == {
        "Service chat was gone; made again",
        "NetworkPolicy chat was gone; made again",
    }


async def test_what_is_made_for_the_first_time_is_no_mending() -> None:
    with capture_logs() as told:
        await serving(World())
    reasons_told = {one["reason"] for one in told}
    assert "Ready" in reasons_told
    assert reasons_told.isdisjoint({"ReplicaCreated", "ChildMended"})
