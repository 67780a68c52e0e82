"""state/views.py: what is read out of objects as the API server stores them."""

import gc
import json
import weakref
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT
from tests.render.objects import replica_of

from escadre import reasons
from escadre.core.approvals.verdict import content_digest
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.inputs import parse_inputs
from escadre.core.status.told import Past, Told
from escadre.machinery.packing import unpack
from escadre.names import (
    ANNOTATION_INPUTS,
    ANNOTATION_TEMPLATE,
    LABEL_COMPONENT,
    LABEL_DEPLOYMENT,
    LABEL_INPUTS,
    LABEL_SERVING,
    LABEL_SLOT,
)
from escadre.state.views import (
    ApprovalView,
    DeploymentView,
    GPUNodeView,
    MirrorView,
    NamespaceView,
    NodeView,
    PodView,
    PolicyView,
    ReplicaRecord,
    SignatureView,
    epoch,
)

Json = dict[str, Any]


def stored(spec: Json | None = None, status: Json | None = None, **meta: Any) -> Json:
    whole: Json = {
        "metadata": {
            "name": "a",
            "uid": "u",
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-22T06:15:00Z",
            **meta,
        }
    }
    if spec is not None:
        whole["spec"] = spec
    if status is not None:
        whole["status"] = status
    return whole


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0.0),
        ("", 0.0),
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-11-22T06:15:00Z", datetime(2026, 11, 22, 6, 15, tzinfo=UTC).timestamp()),
        (
            "2026-11-22T06:15:00.250000Z",
            datetime(2026, 11, 22, 6, 15, tzinfo=UTC).timestamp() + 0.25,
        ),
    ],
)
def test_epoch(text: str | None, seconds: float) -> None:
    assert epoch(text) == seconds


def test_metadata() -> None:
    view = NamespaceView.of(stored(namespace="team", generation=3))
    assert (view.namespace, view.name, view.uid, view.resource_version) == ("team", "a", "u", "7")
    assert (view.generation, view.terminating) == (3, False)
    assert view.created == epoch("2026-11-22T06:15:00Z")
    assert NamespaceView.of(stored(deletionTimestamp="2026-11-22T06:16:00Z")).terminating
    assert NamespaceView.of(stored()).namespace == ""


# -- what people write ----------------------------------------------------------------------------


def test_what_many_deployments_wish_for_is_kept_once_and_as_long_as_one_has_it() -> None:
    wish = {"approval": "small", "contextLength": 8192, "concurrency": 3}
    one, other = DeploymentView.of(stored(wish)), DeploymentView.of(stored(dict(wish)))
    assert one.spec is other.spec
    kept = weakref.ref(one.spec)
    del one, other
    gc.collect()
    assert kept() is None


def test_a_deployment_that_does_not_parse_keeps_its_error() -> None:
    good = DeploymentView.of(stored({"approval": "small", "contextLength": 8192}))
    assert good.spec is not None
    assert (good.spec.scaling.min_replicas, good.invalid) == (1, "")
    bad = DeploymentView.of(stored({"approval": "small", "contextLength": -1}))
    assert bad.spec is None
    assert "contextLength" in bad.invalid
    assert DeploymentView.of(stored()).spec is None
    odd = {"approval": "small", "contextLength": 8192, "scaling": {"minReplicas": 2}}
    at_odds = DeploymentView.of(stored(odd))
    assert at_odds.spec is None
    assert "spec.scaling.minReplicas 2 is more than maxReplicas 1" in at_odds.invalid


def test_an_unknown_field_of_a_newer_version_does_not_matter() -> None:
    spec = {"approval": "small", "contextLength": 8192, "speculative": {"tokens": 3}}
    assert DeploymentView.of(stored(spec)).spec is not None


SAID = {
    "type": "Scaling",
    "status": "True",
    "reason": "AtTarget",
    "message": "demand 3 of 24",
    "lastTransitionTime": "2026-11-22T06:15:00Z",
}
SCALED = {"from": 1, "to": 2, "demand": 40, "target": 24, "reason": "DemandUp"}
COUNTS = {"desired": 2, "ready": 1, "current": 1, "summary": "1/2"}
ITEM = {"name": "a-0", "state": "Ready", "current": True}


def test_what_a_status_told_is_kept_small_and_the_whole_of_it_to_compare_with() -> None:
    status = {
        "observedGeneration": 3,
        "replicas": {**COUNTS, "items": [ITEM]},
        "lastScale": {**SCALED, "at": "2026-11-22T06:15:00Z"},
        "conditions": [SAID],
    }
    view = DeploymentView.of(stored({}, status))
    told = view.told
    assert (told.desired, told.ready, told.replicas) == (2, 1, 1)
    assert [one.to for one in told.changes] == [2], "as earlier versions told it"
    assert told.conditions == (
        Past(
            "Scaling",
            "True",
            reasons.AT_TARGET,
            "demand 3 of 24",
            datetime(2026, 11, 22, 6, 15, tzinfo=UTC),
        ),
    )
    assert unpack(view.stored) == status


@pytest.mark.parametrize(
    ("status", "told"),
    [
        pytest.param(None, Told(), id="none"),
        pytest.param({"observedGeneration": "x"}, Told(), id="a wrong field"),
        pytest.param(
            {"replicas": {**COUNTS, "items": [ITEM]}, "phase": "Fine"},
            Told(desired=2, ready=1, replicas=1),
            id="an unknown field",
        ),
        pytest.param({"replicas": {"desired": 2}}, Told(), id="a part that lacks a field"),
        pytest.param(
            {"replicas": {**COUNTS, "items": [{**ITEM, "state": "Warming"}, ITEM]}},
            Told(desired=2, ready=1, replicas=1),
            id="a replica in a state of a newer version",
        ),
        pytest.param(
            {"lastScale": SCALED, "replicas": {**COUNTS, "items": [ITEM]}},
            Told(desired=2, ready=1, replicas=1),
            id="no time",
        ),
        pytest.param({"conditions": [{**SAID, "status": "Soon"}]}, Told(), id="a condition"),
    ],
)
def test_a_status_of_another_version_makes_no_deployment_unreadable(
    status: Json | None, told: Told
) -> None:
    view = DeploymentView.of(stored({"approval": "small", "contextLength": 8192}, status))
    assert view.spec is not None
    assert view.told == told


def test_the_conditions_of_an_approval_are_read_as_far_as_they_go() -> None:
    approved = {**SAID, "type": "Approved"}
    status = {"conditions": [7, approved], "summary": 2, "signatures": {}}
    assert [one.type for one in ApprovalView.of(stored({}, status)).told] == ["Approved"]


def test_the_digest_of_an_approval_is_of_the_spec_as_stored_also_when_it_does_not_parse() -> None:
    raw = {"requestedBy": "rita", "unknown": 1}
    view = ApprovalView.of(stored(raw))
    assert view.spec is None
    assert view.invalid.startswith("spec.")
    assert view.content_digest == content_digest(raw)


def test_a_signature() -> None:
    spec = {"approval": "small", "by": "anna", "decision": "Approve", "contentDigest": "sha256:0"}
    view = SignatureView.of(stored(spec))
    assert view.signature.created == view.created
    assert (view.signature.name, view.signature.by, view.signature.reason) == ("a", "anna", "")


def test_a_mirror_that_does_not_parse_is_none() -> None:
    assert MirrorView.of(stored({"type": "http", "url": "http://m.example"})).source is not None
    assert MirrorView.of(stored({"type": "ftp", "url": "ftp://m.example"})).source is None


def test_a_policy_is_kept_whole() -> None:
    assert PolicyView.of(stored({"validations": []})).spec == {"validations": []}


# -- nodes ----------------------------------------------------------------------------------------


def test_a_gpunode_knows_the_node_it_belongs_to() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "a", "uid": "node-1"}
    view = GPUNodeView.of(stored({"weights": []}, {"bootID": "b"}, ownerReferences=[owner]))
    assert (view.node_uid, view.status.boot_id) == ("node-1", "b")
    assert GPUNodeView.of(stored()).node_uid == ""


def test_a_gpunode_status_of_a_newer_agent_is_read_as_far_as_it_goes() -> None:
    verified = {
        "manifestDigest": "sha256:" + "a" * 64,
        "storeID": "s",
        "state": "Verified",
        "since": "2026-11-22T06:15:00Z",
    }
    status = {"bootID": "b", "gpus": 7, "weights": [{**verified, "state": "Evicting"}, verified]}
    found = GPUNodeView.of(stored(status=status)).status
    assert (found.boot_id, found.gpus) == ("b", [])
    assert [one.state for one in found.weights] == ["Verified"]


def node(spec: Json | None = None, ready: str = "True", **status: Any) -> NodeView:
    conditions = [{"type": "Ready", "status": ready}]
    return NodeView.of(stored(spec or {}, {"conditions": conditions, **status}))


@pytest.mark.parametrize(
    ("view", "blocked"),
    [
        pytest.param(node(), "", id="free"),
        pytest.param(node({"unschedulable": True}), "is cordoned", id="cordoned"),
        pytest.param(node(ready="False"), "is not Ready", id="not-ready"),
        pytest.param(node(ready="Unknown"), "is not Ready", id="unknown"),
    ],
)
def test_why_nothing_new_may_go_on_a_node(view: NodeView, blocked: str) -> None:
    assert view.blocked == blocked


def test_a_nodes_gpus_and_boot() -> None:
    view = node(allocatable={"nvidia.com/gpu": "8"}, nodeInfo={"bootID": "boot"})
    assert (view.gpus, view.boot_id) == (8, "boot")
    assert (node().gpus, node().boot_id) == (0, "")
    assert NodeView.of(stored()).blocked == ""


def tainted(key: str, effect: str, value: str | None = None) -> NodeView:
    taint = {"key": key, "effect": effect, **({"value": value} if value is not None else {})}
    return node({"taints": [taint]})


GPU_POOL = {"key": "pool", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("view", "tolerations", "untolerated"),
    [
        pytest.param(tainted("a", "NoSchedule"), [], "a:NoSchedule", id="no-toleration"),
        pytest.param(tainted("a", "NoExecute"), [], "a:NoExecute", id="no-execute"),
        pytest.param(tainted("a", "PreferNoSchedule"), [], "", id="preference"),
        pytest.param(tainted("nvidia.com/gpu", "NoSchedule"), [], "", id="gpu-taint"),
        pytest.param(tainted("pool", "NoSchedule", "gpu"), [GPU_POOL], "", id="equal"),
        pytest.param(
            tainted("pool", "NoSchedule", "cpu"), [GPU_POOL], "pool:NoSchedule", id="other-value"
        ),
        pytest.param(
            tainted("pool", "NoExecute", "gpu"), [GPU_POOL], "pool:NoExecute", id="other-effect"
        ),
        pytest.param(
            tainted("pool", "NoSchedule", "gpu"),
            [{"key": "pool", "value": "gpu"}],
            "",
            id="operator-and-effect-left-out",
        ),
        pytest.param(
            tainted("pool", "NoSchedule", "x"),
            [{"key": "pool", "operator": "Exists"}],
            "",
            id="exists",
        ),
        pytest.param(tainted("pool", "NoSchedule", "x"), [{"operator": "Exists"}], "", id="all"),
    ],
)
def test_a_taint_that_engines_tolerate_blocks_nothing(
    view: NodeView, tolerations: list[Json], untolerated: str
) -> None:
    assert view.untolerated(tolerations) == untolerated


# -- pods -----------------------------------------------------------------------------------------


def pod(spec: Json | None = None, labels: dict[str, str] | None = None, **status: Any) -> PodView:
    return PodView.of(stored(spec or {}, status, labels=labels or {}))


def test_an_empty_pod() -> None:
    view = PodView.of(stored())
    assert (view.ready, view.finished, view.node, view.slot) == (False, False, "", None)
    assert (view.gpus, view.failing, view.unscheduled, view.inputs) == (0, "", "", "")


@pytest.mark.parametrize(
    ("label", "slot"),
    [("0", 0), ("12", 12), ("", None), ("-1", None), ("a", None), ("9" * 40, None)],
)
def test_a_pods_slot(label: str, slot: int | None) -> None:
    assert pod(labels={LABEL_SLOT: label}).slot == slot


def test_an_engine_pod() -> None:
    labels = {
        LABEL_COMPONENT: "engine",
        LABEL_DEPLOYMENT: "chat",
        LABEL_SERVING: "true",
        LABEL_INPUTS: "0123456789abcdef",
    }
    view = pod(
        {"nodeName": "gpu-0", "containers": [{"resources": {"limits": {"nvidia.com/gpu": "2"}}}]},
        labels,
        podIP="10.0.0.9",
        phase="Running",
        conditions=[
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T06:15:00Z"}
        ],
    )
    assert (view.component, view.deployment, view.serving) == ("engine", "chat", True)
    assert (view.node, view.ip, view.ready, view.gpus) == ("gpu-0", "10.0.0.9", True, 2)
    assert (view.ready_changed, view.inputs) == (view.created, "0123456789abcdef")


@pytest.mark.parametrize(
    ("phase", "finished"), [("Running", False), ("Succeeded", True), ("Failed", True), ("", False)]
)
def test_a_finished_pod_holds_nothing(phase: str, finished: bool) -> None:
    assert pod(phase=phase).finished is finished


def test_why_a_pod_waits_for_a_node() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    assert pod(conditions=[condition]).unscheduled == "0/3 nodes are available"
    assert pod(conditions=[{**condition, "status": "True"}]).unscheduled == ""


CRASHED = {"exitCode": 1, "reason": "Error", "message": "estimated maximum model length is 8192"}

DIED = {
    "exitCode": 0,
    "reason": "Completed",
    "message": "RuntimeError: CUDA error",
    "startedAt": "2026-11-22T06:00:00Z",
    "finishedAt": "2026-11-22T06:12:00Z",
}


@pytest.mark.parametrize(
    ("container", "failing"),
    [
        pytest.param({"state": {"running": {}}, "ready": True}, "", id="runs"),
        pytest.param({"state": {"running": {}}, "ready": False}, "", id="loads"),
        pytest.param(
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": CRASHED},
                "restartCount": 3,
                "ready": False,
            },
            "exited with 1, 3 restarts: estimated maximum model length is 8192",
            id="crash-loop-in-the-engines-words",
        ),
        pytest.param(
            {"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "ready": False},
            "exited with 137, 0 restarts: OOMKilled: it used more than its memory limit",
            id="killed",
        ),
        pytest.param(
            {"state": {"running": {}}, "lastState": {"terminated": CRASHED}, "ready": True},
            "",
            id="crashed-once-and-serves",
        ),
        pytest.param(
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": DIED},
                "restartCount": 7,
                "ready": False,
            },
            "ended by itself with exit code 0 after 12m00s, as an engine does that dies at run "
            "time, 7 restarts: RuntimeError: CUDA error",
            id="died-at-run-time-with-exit-code-0",
        ),
        pytest.param(
            {
                "state": {"running": {}},
                "lastState": {"terminated": DIED},
                "restartCount": 1,
                "ready": False,
            },
            "ended by itself with exit code 0 after 12m00s, as an engine does that dies at run "
            "time, 1 restart: RuntimeError: CUDA error",
            id="died-and-loads-again",
        ),
        pytest.param(
            {"state": {"running": {}}, "lastState": {"terminated": DIED}, "ready": True},
            "",
            id="died-once-and-serves",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}},
            "ImagePullBackOff: no such image",
            id="image",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "CreateContainerConfigError"}}},
            "CreateContainerConfigError:",
            id="configuration",
        ),
        pytest.param({"state": {"waiting": {"reason": "ContainerCreating"}}}, "", id="being-made"),
    ],
)
def test_why_an_engine_does_not_run(container: Json, failing: str) -> None:
    assert pod(containerStatuses=[container]).failing == failing


BEGAN = "2026-11-22T06:00:10Z"


@pytest.mark.parametrize(
    ("container", "ready", "loading"),
    [
        pytest.param(
            {"state": {"running": {"startedAt": BEGAN}}, "started": False},
            ("False", "2026-11-22T06:00:03Z"),
            True,
            id="loads",
        ),
        pytest.param(
            {"state": {"running": {"startedAt": BEGAN}}, "started": True},
            ("False", "2026-11-22T06:00:03Z"),
            False,
            id="its-startup-probe-has-passed",
        ),
        pytest.param(
            {"state": {"running": {"startedAt": BEGAN}}, "started": False},
            ("False", "2026-11-22T06:30:00Z"),
            False,
            id="served-and-its-kubelet-forgot-it",
        ),
        pytest.param(
            {"state": {"running": {"startedAt": BEGAN}}, "started": True},
            ("True", "2026-11-22T06:01:00Z"),
            False,
            id="serves",
        ),
        pytest.param(
            {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "started": False},
            ("False", "2026-11-22T06:00:03Z"),
            False,
            id="does-not-run",
        ),
    ],
)
def test_an_engine_that_loads(container: Json, ready: tuple[str, str], *, loading: bool) -> None:
    condition = {"type": "Ready", "status": ready[0], "lastTransitionTime": ready[1]}
    assert pod(conditions=[condition], containerStatuses=[container]).loading is loading


PROBED = {
    "name": "engine",
    "readinessProbe": {"periodSeconds": 5, "failureThreshold": 3, "timeoutSeconds": 5},
    "livenessProbe": {
        "periodSeconds": 10,
        "failureThreshold": 6,
        "timeoutSeconds": 5,
        "terminationGracePeriodSeconds": 30,
    },
}
TURNED = "2026-11-22T06:30:00Z"


@pytest.mark.parametrize(
    ("container", "ready", "until"),
    [
        pytest.param({}, ("False", TURNED), TURNED, id="hangs"),
        pytest.param({"ready": True}, ("False", TURNED), "", id="its-node-is-lost"),
        pytest.param({"ready": True}, ("True", TURNED), "", id="serves"),
        pytest.param({}, ("False", "2026-11-22T06:00:03Z"), "", id="was-never-ready"),
        pytest.param({"started": False}, ("False", TURNED), "", id="its-kubelet-forgot-it"),
        pytest.param({"state": {"waiting": {}}}, ("False", TURNED), "", id="does-not-run"),
        pytest.param(
            {"lastState": {"terminated": CRASHED}, "restartCount": 1},
            ("False", TURNED),
            TURNED,
            id="died-once-and-hangs-now",
        ),
    ],
)
def test_an_engine_that_hangs(container: Json, ready: tuple[str, str], until: str) -> None:
    runs = {"state": {"running": {"startedAt": BEGAN}}, "started": True, "ready": False}
    condition = {"type": "Ready", "status": ready[0], "lastTransitionTime": ready[1]}
    view = pod(
        {"containers": [PROBED], "terminationGracePeriodSeconds": 335},
        conditions=[condition],
        containerStatuses=[runs | container],
    )
    if not until:
        assert view.silence is None
        return
    assert view.failing == "", "an old death is not why it does not answer now"
    assert view.silence is not None
    assert view.silence.ready_until == epoch(until)
    assert view.silence.failures == 6
    assert view.silence.overdue_at - view.silence.restart_at == 90


def test_an_engine_that_ends_with_its_pod_did_as_it_was_told() -> None:
    ended = {"name": "engine", "state": {"terminated": {"exitCode": 0}}, "ready": False}
    leaving = stored({}, {"containerStatuses": [ended]})
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T06:15:00Z"
    assert PodView.of(leaving).failing == ""


@given(st.text(max_size=20).map(lambda text: text * 200), st.booleans())
def test_words_of_an_engine_are_cut_to_what_a_status_holds(words: str, image: bool) -> None:
    ended = {"state": {"terminated": {"exitCode": 1, "message": words}}}
    waits = {"state": {"waiting": {"reason": "ErrImagePull", "message": words}}}
    assert len(pod(containerStatuses=[waits if image else ended]).failing) <= 1024


def with_gpus(**where: str) -> Json:
    return {"resources": {key: {"nvidia.com/gpu": value} for key, value in where.items()}}


@pytest.mark.parametrize(
    ("spec", "gpus"),
    [
        ({"containers": [with_gpus(limits="2")]}, 2),
        ({"containers": [with_gpus(requests="2", limits="2")]}, 2),
        ({"containers": [with_gpus(limits="2"), with_gpus(limits="1")]}, 3),
        ({"containers": [with_gpus(limits="2")], "initContainers": [with_gpus(limits="4")]}, 4),
        ({"containers": [{}]}, 0),
        ({}, 0),
    ],
)
def test_gpus_a_pod_asks_for(spec: Json, gpus: int) -> None:
    assert pod(spec).gpus == gpus


# -- replicas -------------------------------------------------------------------------------------


def replica(number: int = 0) -> Json:
    """A replica's object as rendered, each with texts of its own."""
    made: Json = json.loads(json.dumps(replica_of(drain=Drain("Rollout", 5.0))))
    made["metadata"] |= {"uid": f"u-{number}", "resourceVersion": str(number + 1)}
    return made


def test_a_replicas_record() -> None:
    made = replica()
    record = ReplicaRecord.of(made)
    assert (record.namespace, record.name, record.slot) == ("ia-pour-tous", "assistant-0", 0)
    assert record.inputs == parse_inputs(made["metadata"]["annotations"][ANNOTATION_INPUTS])
    assert record.layout == LAYOUT
    assert (record.planned_node, record.drain) == ("gpu-0", Drain("Rollout", 5.0))
    assert record.inputs_label == made["spec"]["template"]["metadata"]["labels"][LABEL_INPUTS]
    assert record.template() == made["spec"]["template"]
    assert record.controller_uid == made["metadata"]["ownerReferences"][0]["uid"]
    assert record.load()["spec"] == made["spec"]


def test_a_record_without_its_notes_is_a_replica_all_the_same() -> None:
    made = replica()
    made["metadata"].pop("annotations")
    record = ReplicaRecord.of(made)
    assert (record.slot, record.inputs, record.layout, record.drain) == (0, None, None, None)
    assert (record.planned_node, record.template()) == ("", None)


def test_a_template_edited_by_hand_is_none() -> None:
    made = replica()
    made["metadata"]["annotations"][ANNOTATION_TEMPLATE] = "{}"
    assert ReplicaRecord.of(made).template() is None


def test_replicas_made_from_the_same_share_it_as_long_as_one_of_them_lives() -> None:
    one, other = ReplicaRecord.of(replica(1)), ReplicaRecord.of(replica(2))
    assert one.inputs is other.inputs
    assert one.inputs is not None
    shared = weakref.ref(one.inputs)
    del one, other
    gc.collect()
    assert shared() is None


def test_a_record_differs_in_whatever_is_kept_of_it() -> None:
    before = ReplicaRecord.of(replica(1))
    same = replica(1)
    same["status"] = {"readyReplicas": 1}
    same["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    assert ReplicaRecord.of(same) == before
    edited = replica(1)
    edited["spec"]["replicas"] = 2
    assert ReplicaRecord.of(edited) != before


@pytest.mark.parametrize(
    ("containers", "unstarted"),
    [
        pytest.param([], "its kubelet tells nothing of it", id="not-seen-by-the-kubelet"),
        pytest.param(
            [{"state": {"waiting": {"reason": "PodInitializing"}}}], "PodInitializing", id="waits"
        ),
        pytest.param([{"state": {"running": {"startedAt": None}}}], "", id="runs"),
        pytest.param(
            [
                {
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 1}},
                }
            ],
            "",
            id="ran",
        ),
    ],
)
def test_what_an_engine_waits_for_before_it_begins(containers: list[Json], unstarted: str) -> None:
    view = PodView.of(stored({"nodeName": "gpu-0"}, {"containerStatuses": containers}))
    assert view.unstarted == unstarted
