"""Volumes, variables and identities of pods that the engine runner runs, on a real API server."""

import json
from typing import Any

import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.pods import PYTHON, build_pod, container_state, until_over
from e2e.cluster.wait import wait_for

pytestmark = pytest.mark.cluster


_WHO_AM_I = (
    "import json, ssl, urllib.request as u\n"
    "base = '/var/run/secrets/kubernetes.io/serviceaccount/'\n"
    "token = open(base + 'token').read()\n"
    "group = 'authentication.k8s.io/v1'\n"
    "body = json.dumps({'apiVersion': group, 'kind': 'SelfSubjectReview'})\n"
    "r = u.Request('https://kubernetes.default.svc/apis/' + group + "
    "'/selfsubjectreviews', body.encode(), {'Authorization': 'Bearer ' + token, "
    "'Content-Type': 'application/json'})\n"
    "c = ssl.create_default_context(cafile=base + 'ca.crt')\n"
    "print(json.dumps(json.load(u.urlopen(r, context=c))))\n"
    "print(open(base + 'namespace').read())\n"
)
_VARIABLES = [
    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    {
        "name": "WORD",
        "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "word"}},
    },
    {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
    {"name": "BOTH", "value": "$(WORD)-$(NODE)-$$(WORD)"},
]


def _get(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    return cluster.get("pod", name, namespace)


def _volume_and_claim(
    namespace: str, node: str, path: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    shared = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {
            **shared,
            "capacity": {"storage": "1Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "mountOptions": ["ro"],
            "claimRef": {"namespace": namespace, "name": "weights"},
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "weights", "namespace": namespace},
        "spec": {
            **shared,
            "volumeName": namespace,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    return volume, claim


def test_init_containers_run_in_order_and_share_volumes_with_the_right_owner(
    cluster: Cluster, namespace: str
) -> None:
    mounts = [{"name": "work", "mountPath": "/work-area"}]
    steps = [
        {
            "name": f"step-{index}",
            "image": "escadre.test/shell:1",
            "args": ["-c", f"echo {index} >>/work-area/steps"],
            "volumeMounts": mounts,
        }
        for index in range(2)
    ]
    script = (
        "tr '\\n' ' ' </work-area/steps; id -u; id -g; id -G; "
        "stat -c '%u %g %a' /work-area; touch /work-area/mine; stat -c '%u %g' /work-area/mine; "
        "cat /proc/sys/kernel/random/boot_id; touch /etc/new 2>&1; [ -w /dev/shm ] && echo shm"
    )
    pod = build_pod(
        "owner",
        namespace,
        script,
        volumeMounts=mounts,
        securityContext={"readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
        spec={
            "restartPolicy": "Never",
            "nodeName": "gpu-1",
            "initContainers": steps,
            "volumes": [{"name": "work", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}],
            "securityContext": {
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "fsGroup": 2000,
                "runAsNonRoot": True,
            },
        },
    )
    cluster.apply(pod)
    assert until_over(cluster, namespace, "owner")["status"]["phase"] == "Succeeded"
    lines = cluster.pod_log(namespace, "owner", "main").splitlines()
    assert lines[0] == "0 1 65534"
    assert lines[1:5] == ["65534", "65534 2000", "0 2000 2777", "65534 2000"]
    assert lines[5] == cluster.node("gpu-1").boot_id
    assert "Read-only file system" in lines[6]
    assert lines[7] == "shm"


def test_variables_and_small_files_come_from_the_pod_and_its_objects(
    cluster: Cluster, namespace: str
) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace},
        "data": {"config.yaml": "level: high\n", "word": "blue"},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": namespace},
        "stringData": {"token": "hidden"},
    }
    field = {"fieldRef": {"fieldPath": "metadata.annotations['escadre.test/note']"}}
    pod = build_pod(
        "vars",
        namespace,
        'echo "$NODE $WORD $SECRET $BOTH $0 $POD_IP"; cat /etc/app/config.yaml /etc/note/file',
        env=_VARIABLES,
        volumeMounts=[
            {"name": "app", "mountPath": "/etc/app"},
            {"name": "note", "mountPath": "/etc/note"},
        ],
        spec={
            "restartPolicy": "Never",
            "nodeName": "cpu-0",
            "volumes": [
                {"name": "app", "configMap": {"name": "settings"}},
                {"name": "note", "downwardAPI": {"items": [{"path": "file", **field}]}},
            ],
        },
    )
    pod["spec"]["containers"][0]["args"].append("arg-$(WORD)")
    pod["metadata"]["annotations"] = {"escadre.test/note": "written down"}
    cluster.apply(config, secret, pod)
    status = until_over(cluster, namespace, "vars")["status"]
    first, second, third = cluster.pod_log(namespace, "vars", "main").splitlines()
    assert first == f"cpu-0 blue hidden blue-cpu-0-$(WORD) arg-blue {status['podIP']}"
    assert (second, third) == ("level: high", "written down")


def test_a_claim_is_read_only_and_its_pod_waits_for_the_folder(
    cluster: Cluster, namespace: str
) -> None:
    node = cluster.node("gpu-0")
    path = f"/var/lib/test/{namespace}"
    volume, claim = _volume_and_claim(namespace, node.name, path)
    pod = build_pod(
        "reader",
        namespace,
        "cat /models/weights/file; touch /models/weights/x; chmod 777 /models/weights/file",
        volumeMounts=[{"name": "weights", "mountPath": "/models/weights"}],
        spec={
            "restartPolicy": "Never",
            "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}}],
        },
    )
    cluster.apply(volume, claim, pod)
    try:
        wait_for(
            lambda: (
                "FailedMount"
                in cluster.kubectl(
                    "get", "events", "-n", namespace, "-o", "jsonpath={.items..reason}"
                )
            ),
            30,
            "a FailedMount event",
        )
        state = container_state(_get(cluster, namespace, "reader"))
        assert state["state"]["waiting"]["reason"] == "ContainerCreating"
        folder = node.root / path.lstrip("/")
        folder.mkdir(parents=True)
        (folder / "file").write_text("bytes\n")
        assert until_over(cluster, namespace, "reader")["status"]["phase"] == "Failed"
        lines = cluster.pod_log(namespace, "reader", "main").splitlines()
        assert lines[0] == "bytes"
        assert all("Read-only file system" in line for line in lines[1:3]), lines
    finally:
        cluster.kubectl("delete", "pv", namespace, "--wait=false")


def test_a_bound_token_names_its_pod_and_node(cluster: Cluster, namespace: str) -> None:
    pod = build_pod(
        "caller",
        namespace,
        _WHO_AM_I,
        image=PYTHON,
        labels={"escadre.test/network": "full"},
        spec={
            "restartPolicy": "Never",
            "nodeName": "gpu-1",
            "securityContext": {"runAsUser": 4711},
        },
    )
    cluster.apply(pod)
    ended = until_over(cluster, namespace, "caller")
    log = cluster.pod_log(namespace, "caller", "main")
    assert ended["status"]["phase"] == "Succeeded", log
    review, own = log.splitlines()
    user = json.loads(review)["status"]["userInfo"]
    assert user["username"] == f"system:serviceaccount:{namespace}:default"
    extra = {key.rpartition("/")[2]: value[0] for key, value in user["extra"].items()}
    node_uid = cluster.get("node", "gpu-1")["metadata"]["uid"]
    assert (extra["node-name"], extra["node-uid"]) == ("gpu-1", node_uid)
    assert (extra["pod-name"], extra["pod-uid"]) == ("caller", ended["metadata"]["uid"])
    assert own == namespace
