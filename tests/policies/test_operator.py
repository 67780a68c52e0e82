"""What the operator may write where RBAC alone would let it write anything."""

import json
from typing import Any, Final

import pytest
from e2e.cluster.cluster import Cluster
from tests.policies.objects import volume
from tests.policies.users import ADMIN, OPERATOR, Json, attempt, denied

pytestmark = pytest.mark.cluster

WEIGHTS: Final = "escadre.node-restriction.kubernetes.io/" + "a" * 52
SERVING: Final = "escadre.dev/serving"

NODE_LABELS: Final = (
    "the operator changes only node labels that begin with escadre.node-restriction.kubernetes.io/"
)
NODE_REST: Final = "the operator changes nothing of a Node but its weight labels"
POD_LABELS: Final = "the operator changes only the label escadre.dev/serving of a pod"
POD_REST: Final = "the operator changes nothing of a pod but the label escadre.dev/serving"
POD_KIND: Final = "the operator changes only pods that carry escadre.dev/component=engine"


def _patch(cluster: Cluster, kind: str, name: str, patch: Json, form: str = "merge") -> str:
    return attempt(
        cluster,
        OPERATOR,
        "-n",
        "chat",
        "patch",
        kind,
        name,
        f"--type={form}",
        f"--patch={json.dumps(patch)}",
    )


def _labels(**labels: str | None) -> Json:
    return {"metadata": {"labels": labels}}


def test_operator_sets_changes_and_takes_away_weight_labels(cluster: Cluster) -> None:
    for value in ("verified", "other", None):
        assert _patch(cluster, "node", "gpu-0", _labels(**{WEIGHTS: value})) == ""


def test_operator_applies_weight_labels(cluster: Cluster) -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "gpu-1", "labels": {WEIGHTS: "verified"}},
    }
    apply = ("apply", "--server-side", "--field-manager=escadre", "-f", "-")
    assert attempt(cluster, OPERATOR, *apply, document=document) == ""
    del document["metadata"]["labels"]  # type: ignore[attr-defined]  # a literal of mixed values
    assert attempt(cluster, OPERATOR, *apply, document=document) == ""
    assert WEIGHTS not in cluster.get("node", "gpu-1")["metadata"]["labels"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        pytest.param(_labels(pool="gpu"), NODE_LABELS, id="another label"),
        pytest.param(_labels(**{"nvidia.com/gpu.product": "T4"}), NODE_LABELS, id="changes one"),
        pytest.param(_labels(**{"nvidia.com/gpu.product": None}), NODE_LABELS, id="removes one"),
        pytest.param(
            _labels(**{"node-restriction.kubernetes.io/x": "y"}), NODE_LABELS, id="near the prefix"
        ),
        pytest.param(
            _labels(**{WEIGHTS: "verified", "pool": "gpu"}), NODE_LABELS, id="one beside its own"
        ),
        pytest.param({"spec": {"unschedulable": True}}, NODE_REST, id="cordons"),
        pytest.param(
            {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}, NODE_REST, id="taints"
        ),
        pytest.param({"metadata": {"annotations": {"a": "b"}}}, NODE_REST, id="annotates"),
        pytest.param({"metadata": {"finalizers": ["escadre.dev/x"]}}, NODE_REST, id="holds"),
    ],
)
def test_operator_changes_nothing_else_of_a_node(
    cluster: Cluster, patch: Json, message: str
) -> None:
    refusal = denied("escadre-operator-nodes", "nodes", "gpu-0", message)
    assert _patch(cluster, "node", "gpu-0", patch) == f"Error from server (Forbidden): {refusal}"


def test_operator_takes_an_engine_out_of_its_service_and_back(cluster: Cluster) -> None:
    for value in (None, "true"):
        assert _patch(cluster, "pod", "engine", _labels(**{SERVING: value})) == ""


@pytest.mark.parametrize(
    ("name", "patch", "message"),
    [
        pytest.param("engine", _labels(a="b"), POD_LABELS, id="another label"),
        pytest.param(
            "engine", _labels(**{"escadre.dev/deployment": None}), POD_LABELS, id="removes one"
        ),
        pytest.param(
            "engine", _labels(**{"escadre.dev/component": "agent"}), POD_LABELS, id="disguises"
        ),
        pytest.param("engine", {"metadata": {"annotations": {"a": "b"}}}, POD_REST, id="annotates"),
        pytest.param("web", _labels(**{SERVING: None}), POD_KIND, id="a pod that is no engine"),
    ],
)
def test_operator_changes_nothing_else_of_a_pod(
    cluster: Cluster, name: str, patch: Json, message: str
) -> None:
    refusal = denied("escadre-operator-pods", "pods", name, message)
    assert _patch(cluster, "pod", name, patch) == f"Error from server (Forbidden): {refusal}"


def test_operator_changes_no_image(cluster: Cluster) -> None:
    patch = {"spec": {"containers": [{"name": "engine", "image": "registry.example/other:1"}]}}
    refusal = denied("escadre-operator-pods", "pods", "engine", POD_REST)
    answer = _patch(cluster, "pod", "engine", patch, "strategic")
    assert answer == f"Error from server (Forbidden): {refusal}"


def test_operator_hastens_the_end_of_an_engine_and_begins_none(cluster: Cluster) -> None:
    delete = ("-n", "chat", "delete", "pod", "engine", "--wait=false", "--grace-period=10")
    words = "the operator only hastens the end of a pod that is being deleted already"
    refusal = denied("escadre-operator-pods", "pods", "engine", words)
    assert attempt(cluster, OPERATOR, *delete) == f"Error from server (Forbidden): {refusal}"


def test_operator_makes_mends_and_deletes_its_volumes(cluster: Cluster) -> None:
    document = volume("escadre-own")
    apply = ("apply", "--server-side", "--field-manager=escadre", "-f", "-")
    assert attempt(cluster, OPERATOR, *apply, document=document) == ""
    document["spec"]["claimRef"] = {"namespace": "chat", "name": "claim", "uid": "new"}
    assert attempt(cluster, OPERATOR, *apply, document=document) == ""
    # Whoever takes the label away does not hinder the mending.
    cluster.kubectl("label", "pv", "escadre-own", "app.kubernetes.io/managed-by-")
    assert attempt(cluster, OPERATOR, *apply, document=document) == ""
    assert attempt(cluster, OPERATOR, "delete", "pv", "escadre-own", "--wait=false") == ""


STORE_ONLY: Final = (
    "the operator writes only local PersistentVolumes under /var/lib/escadre/models/"
)
READ_ONLY: Final = (
    "the operator writes only read-only PersistentVolumes (mountOptions ro, ReadOnlyMany)"
)


def _unlabelled() -> Json:
    document = volume()
    del document["metadata"]["labels"]
    return document


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param(
            volume("data"),
            "the operator writes only PersistentVolumes whose name begins with escadre-",
            id="another name",
        ),
        pytest.param(volume(local={"path": "/etc"}), STORE_ONLY, id="another folder"),
        pytest.param(
            volume(local={"path": "/var/lib/escadre/models/" + "a" * 64 + "/sub"}),
            STORE_ONLY,
            id="a folder in a model",
        ),
        pytest.param(volume(local={"path": "/var/lib/escadre"}), STORE_ONLY, id="the whole store"),
        pytest.param(
            volume(local=None, hostPath={"path": "/var/lib/escadre/models/" + "a" * 64}),
            STORE_ONLY,
            id="a hostPath",
        ),
        pytest.param(volume(mountOptions=None), READ_ONLY, id="mounted for writing"),
        pytest.param(volume(mountOptions=["ro", "rw"]), READ_ONLY, id="ro and rw"),
        pytest.param(volume(accessModes=["ReadWriteMany"]), READ_ONLY, id="ReadWriteMany"),
        pytest.param(
            _unlabelled(),
            "the operator's PersistentVolumes carry the label app.kubernetes.io/managed-by=escadre",
            id="without its label",
        ),
    ],
)
def test_operator_makes_no_other_volume(cluster: Cluster, document: Json, message: str) -> None:
    name = document["metadata"]["name"]
    refusal = denied("escadre-operator-volumes", "persistentvolumes", name, message)
    answer = attempt(cluster, OPERATOR, "create", "-f", "-", document=document)
    assert answer == f'Error from server (Forbidden): error when creating "STDIN": {refusal}'


def test_operator_touches_no_foreign_volume(cluster: Cluster) -> None:
    foreign = volume("foreign", local={"path": "/data"}, mountOptions=None)
    cluster.apply(foreign)
    arguments: Any = ("delete", "pv", "foreign")
    answer = attempt(cluster, OPERATOR, *arguments)
    message = "the operator writes only PersistentVolumes whose name begins with escadre-"
    refusal = denied("escadre-operator-volumes", "persistentvolumes", "foreign", message)
    assert answer == f"Error from server (Forbidden): {refusal}"
    assert attempt(cluster, ADMIN, *arguments) == ""


def test_others_are_not_held_by_the_operators_policies(cluster: Cluster) -> None:
    assert attempt(cluster, ADMIN, "label", "node", "gpu-0", "pool=gpu") == ""
    assert attempt(cluster, ADMIN, "label", "node", "gpu-0", "pool-") == ""
    assert attempt(cluster, ADMIN, "-n", "chat", "annotate", "pod", "web", "a=b") == ""
