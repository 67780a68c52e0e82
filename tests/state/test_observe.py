"""state/observe.py: replicas as they are, from workload objects and pods."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.core.layout import LAYOUT
from tests.core.shapes import SMALL_3
from tests.fakes.kube import FakeServer

from escadre.clients.kube import DEPLOYMENTS, PODS
from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.inputs import ReplicaInputs, platform_text
from escadre.core.scaling.demand import Demand, Reading
from escadre.core.scaling.progress import Hung
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_INPUTS,
    LABEL_DEPLOYMENT,
    LABEL_INPUTS,
    LABEL_SLOT,
)
from escadre.render.labels import Owner
from escadre.render.replica import ReplicaSpec, pod_template
from escadre.render.workload import WORKLOAD, Recorded
from escadre.settings import EngineSettings
from escadre.state.caches import Caches
from escadre.state.observe import Observed, observe, with_readings
from escadre.state.views import DeploymentView

Json = dict[str, Any]
ENGINE = EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64)
MODEL = ApprovedModel(
    approval="small",
    approval_uid="uid-small",
    repository="mistralai/small",
    revision="a" * 40,
    manifest_digest="sha256:" + "ab" * 32,
    file_bytes=1,
    architecture=SMALL_3,
    mirrors=("internal",),
)
VIEW = DeploymentView.of(
    {
        "metadata": {
            "name": "chat",
            "namespace": "team",
            "uid": "uid-chat",
            "resourceVersion": "1",
        },
        "spec": {"approval": "small", "contextLength": 32768},
    }
)
OWNER = Owner("team", "chat", "uid-chat")
WISH = Wish.of(VIEW.spec)
INPUTS = ReplicaInputs.of(
    WISH, platform_text(ENGINE), MODEL.manifest_digest, MODEL.repository, LAYOUT
)


def workload(slot: int = 0, inputs: ReplicaInputs = INPUTS, drain: Drain | None = None) -> Json:
    spec = ReplicaSpec(slot, inputs, LAYOUT, SMALL_3, "gpu-0")
    template = pod_template(OWNER, spec, ENGINE)
    return WORKLOAD.render(OWNER, Recorded(slot, inputs, template, "gpu-0", drain))


def pod_of(made: Json, suffix: str = "abc", **status: Any) -> Json:
    """The pod that the workload's ReplicaSet makes; Ready on gpu-1 unless said otherwise."""
    name, template = made["metadata"]["name"], made["spec"]["template"]
    ready = status.pop("ready", True)
    node = status.pop("node", "gpu-1")
    return {
        "metadata": {
            "name": f"{name}-{suffix}-x",
            "namespace": "team",
            "labels": dict(template["metadata"]["labels"]),
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "ReplicaSet",
                    "name": f"{name}-{suffix}",
                    "uid": f"rs-{suffix}",
                    "controller": True,
                }
            ],
        },
        "spec": {**template["spec"], "nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            **status,
        },
    }


@dataclass
class Bench:
    """Caches over a fake server."""

    server: FakeServer
    caches: Caches
    readings: dict[str, Reading] = field(default_factory=dict)
    hung: dict[str, Hung] = field(default_factory=dict)

    async def look(
        self,
        *objects: Json,
        model: ApprovedModel | None = MODEL,
        engine: EngineSettings = ENGINE,
        gone: frozenset[str] = frozenset(),
    ) -> tuple[Observed, ...]:
        for one in objects:
            self.server.put(PODS if "containers" in one["spec"] else DEPLOYMENTS, one)
        await self.caches.replicas.refresh()
        await self.caches.pods.refresh()
        records = self.caches.replicas.by("deployment", ("team", "chat"))
        pods = self.caches.pods.by("deployment", ("team", "chat"))
        found = observe(VIEW, records, pods, model, platform_text(engine), gone)
        return with_readings(found, self.readings, self.hung)


@pytest.fixture
async def bench() -> Bench:
    server = FakeServer()
    return Bench(server, Caches(server.client(), "escadre-system"))


async def test_a_ready_replica(bench: Bench) -> None:
    made = workload()
    (one,) = await bench.look(made, pod_of(made))
    assert (one.view.slot, one.view.state, one.view.current) == (0, "Ready", True)
    assert one.node == "gpu-1", "where its pod is bound counts, not what was planned"
    assert one.record.inputs == INPUTS
    assert one.record.layout == LAYOUT
    assert one.view.digest == MODEL.manifest_digest


async def test_a_ready_pod_of_a_node_that_is_gone_does_not_answer(bench: Bench) -> None:
    made = workload()
    (one,) = await bench.look(made, pod_of(made), gone=frozenset({"gpu-1"}))
    assert (one.view.state, one.view.answers, one.node) == ("NotResponding", False, "gpu-1")


async def test_replicas_come_in_the_order_of_their_slots(bench: Bench) -> None:
    found = await bench.look(workload(10), workload(2), workload(0))
    assert [one.view.slot for one in found] == [0, 2, 10]


async def test_without_a_pod_the_planned_node_counts(bench: Bench) -> None:
    (one,) = await bench.look(workload())
    assert (one.view.state, one.node, one.pod) == ("Pending", "gpu-0", None)


CRASH = [{"state": {"terminated": {"exitCode": 1}}, "ready": False}]
# Ready for an hour, then its health check failed; nobody has started it again yet.
HUNG: Json = {
    "conditions": [
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T07:00:00Z"}
    ],
    "containerStatuses": [
        {
            "state": {"running": {"startedAt": "2026-11-22T06:00:00Z"}},
            "started": True,
            "ready": False,
        }
    ],
}
# Before that it had died once: an old death is not why it does not answer now.
HUNG_LATER = {
    **HUNG,
    "containerStatuses": [
        {**HUNG["containerStatuses"][0], "lastState": {"terminated": {"exitCode": 137}}}
    ],
}
# An engine that dies at run time exits with 0.
DEATH = [
    {
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 0, "reason": "Completed"}},
        "restartCount": 7,
        "ready": False,
    }
]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        pytest.param({"node": "", "ready": False}, "Pending", id="not-on-a-node"),
        pytest.param({"ready": False}, "Loading", id="starting"),
        pytest.param({"ready": False, "containerStatuses": CRASH}, "Failing", id="exits"),
        pytest.param({"ready": False, "containerStatuses": DEATH}, "Failing", id="dies-with-0"),
        pytest.param({"ready": False, **HUNG}, "NotResponding", id="hangs"),
        pytest.param({"ready": False, **HUNG_LATER}, "NotResponding", id="died-once-and-hangs-now"),
        pytest.param({"phase": "Failed"}, "Pending", id="finished-pods-do-not-count"),
    ],
)
async def test_states(bench: Bench, status: Json, state: str) -> None:
    made = workload()
    (one,) = await bench.look(made, pod_of(made, **status))
    assert one.view.state == state


async def test_right_after_a_replacement_the_old_pod_is_not_the_new_replica(bench: Bench) -> None:
    # Between our write and the deployment controller's, the old pod is still Ready. Were it taken
    # for the new replica, the rollout would drain the next one at once.
    before = workload()
    await bench.look(before, pod_of(before))
    newer = EngineSettings(image="registry.example/vllm@sha256:" + "f" * 64)
    inputs = ReplicaInputs.of(
        WISH, platform_text(newer), MODEL.manifest_digest, MODEL.repository, LAYOUT
    )
    (one,) = await bench.look(workload(inputs=inputs), engine=newer)
    assert one.view.current
    assert one.view.state == "Pending"


async def test_a_terminating_pod_does_not_count(bench: Bench) -> None:
    made = workload()
    dying = pod_of(made)
    dying["metadata"]["finalizers"] = ["example.com/hold"]
    await bench.look(made, dying)
    bench.server.remove(PODS, dying["metadata"]["name"], "team")
    (one,) = await bench.look(pod_of(made, "def", ready=False))
    assert one.view.state == "Loading"
    assert one.pod is not None
    assert one.pod.name == "chat-0-def-x"


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param({"ownerReferences": []}, id="bare-pod-with-our-labels"),
        pytest.param(
            {
                "ownerReferences": [
                    {"kind": "ReplicaSet", "name": "evil-1", "uid": "u", "controller": True}
                ]
            },
            id="pod-of-another-workload",
        ),
    ],
)
async def test_labels_alone_make_no_pod_ours(bench: Bench, foreign: Json) -> None:
    made = workload()
    pod = pod_of(made)
    pod["metadata"] |= foreign
    (one,) = await bench.look(made, pod)
    assert (one.view.state, one.pod) == ("Pending", None)


async def test_a_workload_of_an_earlier_owner_of_the_name_is_not_ours(bench: Bench) -> None:
    made = workload()
    made["metadata"]["ownerReferences"][0]["uid"] = "uid-of-yesterday"
    assert await bench.look(made) == ()


@pytest.mark.parametrize("label", ["7", "x", None])
async def test_the_slot_is_told_by_the_name_whatever_a_hand_did_to_the_label(
    bench: Bench, label: str | None
) -> None:
    made = workload(3)
    if label is None:
        del made["metadata"]["labels"][LABEL_SLOT]
    else:
        made["metadata"]["labels"][LABEL_SLOT] = label
    (one,) = await bench.look(made)
    assert one.view.slot == 3


@pytest.mark.parametrize("name", ["chat-x", "chat", "chat-03", "other-3"])
async def test_a_workload_with_another_name_is_no_replica(bench: Bench, name: str) -> None:
    made = workload(3)
    made["metadata"]["name"] = name
    assert await bench.look(made) == ()


@pytest.mark.parametrize(
    ("model", "engine", "current"),
    [
        (MODEL, ENGINE, True),
        (None, ENGINE, True),  # nothing to compare it with: what runs stays
        (MODEL, EngineSettings(image="registry.example/vllm@sha256:" + "f" * 64), False),
    ],
)
async def test_current(
    bench: Bench, model: ApprovedModel | None, engine: EngineSettings, current: bool
) -> None:
    (one,) = await bench.look(workload(), model=model, engine=engine)
    assert one.view.current is current


@pytest.mark.parametrize("text", ["", "{", None])
async def test_damaged_inputs_are_outdated(bench: Bench, text: str | None) -> None:
    made = workload()
    if text is None:
        del made["metadata"]["annotations"][ANNOTATION_INPUTS]
    else:
        made["metadata"]["annotations"][ANNOTATION_INPUTS] = text
    (one,) = await bench.look(made, pod_of(made))
    assert (one.record.inputs, one.record.layout) == (None, None)
    assert (one.view.current, one.view.digest) == (False, "")
    assert one.view.state == "Ready", "it serves all the same"


@pytest.mark.parametrize(
    ("reading", "idle", "in_flight"),
    [
        (None, False, None),
        (Reading(Demand(3, 2, 0.0)), False, 5),
        (Reading(Demand(None, 2, 0.0)), False, None),
        (Reading(Demand(0, 0, 0.0), quiet=1), False, 0),
        (Reading(Demand(0, 0, 0.0), quiet=2), True, 0),
    ],
)
async def test_idle_is_seen_twice(
    bench: Bench, reading: Reading | None, idle: bool, in_flight: int | None
) -> None:
    made = workload(drain=Drain("Rollout", 5.0))
    stored = bench.server.put(PODS, pod_of(made))
    if reading is not None:
        bench.readings[stored["metadata"]["uid"]] = reading
    (one,) = await bench.look(made)
    assert (one.view.idle, one.view.in_flight) == (idle, in_flight)
    assert one.view.drain == Drain("Rollout", 5.0)


def test_pods_and_workloads_carry_the_labels_that_are_looked_for() -> None:
    made = workload()
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels[LABEL_INPUTS] == INPUTS.hash
    assert made["metadata"]["labels"][LABEL_DEPLOYMENT] == "chat"
    assert ANNOTATION_DRAIN not in made["metadata"]["annotations"]
