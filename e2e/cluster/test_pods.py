"""The engine runner on a real API server: pods start, answer, fail and end as under a kubelet."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from e2e.cluster.cluster import Cluster
from e2e.cluster.pods import PYTHON, build_pod, container_state, is_ready
from e2e.cluster.wait import wait_for, wait_for_async

pytestmark = pytest.mark.cluster


def _pod(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    return cluster.get("pod", name, namespace)


def _until_over(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        pod = _pod(cluster, namespace, name)
        return pod if pod["status"].get("phase") in ("Succeeded", "Failed") else None

    pod: dict[str, Any] = wait_for(over, 30, f"end of pod {name}")
    return pod


def _until_gone(cluster: Cluster, namespace: str, name: str) -> None:
    wait_for(
        lambda: (
            not cluster.kubectl(
                "get", "pod", name, "-n", namespace, "--ignore-not-found", "-o", "name"
            )
        ),
        30,
        f"removal of pod {name}",
    )


async def test_a_pod_gets_ready_by_its_probe_and_answers_behind_its_service(
    cluster: Cluster, namespace: str
) -> None:
    command = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"
    pod = build_pod(
        "web",
        namespace,
        command,
        image=PYTHON,
        labels={"app": "web"},
        ports=[{"name": "http", "containerPort": 8000}],
        readinessProbe={"httpGet": {"path": "/etc/hostname", "port": "http"}, "periodSeconds": 1},
    )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
    }
    cluster.apply(pod, service)
    wait_for(lambda: is_ready(_pod(cluster, namespace, "web")), 30, "pod web Ready")
    address = cluster.get("service", "web", namespace)["spec"]["clusterIP"]

    async def answer() -> str:
        async with (
            aiohttp.ClientSession(connector=cluster.connector()) as session,
            session.get(f"http://{address}/etc/hostname") as response,
        ):
            return (await response.text()).strip()

    async def served() -> str | None:
        try:
            return await answer()
        except aiohttp.ClientError as error:
            raise OSError(str(error)) from error

    assert await wait_for_async(served, 15, "an answer of the Service") == "web"
    again = await asyncio.gather(*(answer() for _ in range(5)))
    assert set(again) == {"web"}


def test_a_crashing_container_shows_the_states_of_a_crash_loop(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(build_pod("crash", namespace, "echo the reason >/dev/termination-log; exit 3"))

    def looping() -> dict[str, Any] | None:
        state = container_state(_pod(cluster, namespace, "crash"))
        waiting = state.get("state", {}).get("waiting", {})
        return state if waiting.get("reason") == "CrashLoopBackOff" else None

    state = wait_for(looping, 30, "CrashLoopBackOff")
    assert state["restartCount"] >= 1
    assert "restarting failed container=main" in state["state"]["waiting"]["message"]
    last = state["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "the reason\n")
    assert not is_ready(_pod(cluster, namespace, "crash"))
    wait_for(
        lambda: container_state(_pod(cluster, namespace, "crash")).get("restartCount", 0) >= 3,
        30,
        "three restarts",
    )


@pytest.mark.parametrize(
    ("script", "policy", "phase", "code", "message"),
    [
        ("echo fine; exit 0", "FallbackToLogsOnError", "Succeeded", 0, None),
        ("echo from the log; exit 4", "FallbackToLogsOnError", "Failed", 4, "from the log\n"),
        ("echo from the log; exit 4", "File", "Failed", 4, None),
        ("kill -9 $$$$; sleep 1", "File", "Succeeded", 0, None),  # process 1 cannot kill itself
        ("sh -c 'kill -9 $$$$'; exit $?", "File", "Failed", 137, None),
    ],
    ids=["good end", "last words as message", "no message", "process 1 is safe", "killed child"],
)
def test_a_pod_that_runs_once_ends_with_its_exit_code_and_message(
    cluster: Cluster,
    namespace: str,
    script: str,
    policy: str,
    phase: str,
    code: int,
    message: str | None,
) -> None:
    pod = build_pod(
        "once", namespace, script, spec={"restartPolicy": "Never"}, terminationMessagePolicy=policy
    )
    cluster.apply(pod)
    status = _until_over(cluster, namespace, "once")["status"]
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (status["phase"], ended["exitCode"], ended.get("message")) == (phase, code, message)


def test_an_unknown_image_waits_like_one_that_cannot_be_pulled(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(build_pod("unknown", namespace, "true", image="nowhere.test/none:1"))
    seen: set[str] = set()

    def both() -> bool:
        state = container_state(_pod(cluster, namespace, "unknown")).get("state", {})
        waiting = state.get("waiting", {})
        if waiting.get("reason", "").endswith(("ErrImagePull", "ImagePullBackOff")):
            assert "nowhere.test/none:1" in waiting["message"]
            seen.add(waiting["reason"])
        return seen == {"ErrImagePull", "ImagePullBackOff"}

    wait_for(both, 30, "both states of a failed pull", lambda: seen)


def test_hook_and_grace_come_in_a_kubelets_order(cluster: Cluster, namespace: str) -> None:
    script = (
        "import pathlib, signal, sys, time\n"
        "def term(*_):\n"
        "    say('term'); time.sleep(0.5); say('bye'); sys.exit(0)\n"
        "def say(word): print(word, time.time(), flush=True)\n"
        "signal.signal(signal.SIGTERM, term)\n"
        "say('up')\n"
        "while True: time.sleep(0.1)\n"
    )
    pod = build_pod(
        "graceful",
        namespace,
        script,
        image=PYTHON,
        lifecycle={"preStop": {"sleep": {"seconds": 2}}},
        spec={"terminationGracePeriodSeconds": 20},
    )
    cluster.apply(pod)
    wait_for(lambda: "up" in cluster.pod_log(namespace, "graceful", "main"), 20, "its first word")
    log = cluster.pod_folder(namespace, "graceful") / "main.log"
    # A hard link keeps the log when the pod's folder goes.
    kept = cluster.state.root / f"{namespace}.log"
    kept.hardlink_to(log)
    before = time.time()
    cluster.kubectl("delete", "pod", "graceful", "-n", namespace, "--wait=false")
    asked = wait_for(
        lambda: _pod(cluster, namespace, "graceful")["metadata"].get("deletionTimestamp"),
        5,
        "the deletion mark",
    )
    assert asked
    assert is_ready(_pod(cluster, namespace, "graceful")), "it serves until it is told to end"
    _until_gone(cluster, namespace, "graceful")
    lines = [line.split() for line in kept.read_text().splitlines()]
    assert [word for word, _ in lines] == ["up", "term", "bye"]
    assert float(lines[1][1]) - before >= 2, "SIGTERM comes after the hook"


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(
    cluster: Cluster, namespace: str
) -> None:
    spec = {"terminationGracePeriodSeconds": 2}
    script = "trap '' TERM; while true; do sleep 1; done"
    cluster.apply(build_pod("stubborn", namespace, script, spec=spec))
    wait_for(lambda: is_ready(_pod(cluster, namespace, "stubborn")), 20, "pod stubborn Ready")
    cluster.kubectl("delete", "pod", "stubborn", "-n", namespace, "--wait=false")
    _until_gone(cluster, namespace, "stubborn")


def test_a_failing_liveness_probe_restarts_the_container(cluster: Cluster, namespace: str) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/run/ill"]}, "periodSeconds": 1}
    pod = build_pod(
        "ill",
        namespace,
        "sleep 2; touch /run/ill; exec sleep 100",
        livenessProbe=probe | {"failureThreshold": 1},
        spec={"terminationGracePeriodSeconds": 1},
    )
    cluster.apply(pod)
    wait_for(
        lambda: container_state(_pod(cluster, namespace, "ill")).get("restartCount", 0) >= 1,
        30,
        "a restart",
    )
    assert container_state(_pod(cluster, namespace, "ill"))["lastState"]["terminated"]["exitCode"]


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
    assert _until_over(cluster, namespace, "owner")["status"]["phase"] == "Succeeded"
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
        env=[
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {
                "name": "WORD",
                "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "word"}},
            },
            {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "key", "key": "token"}}},
            {"name": "BOTH", "value": "$(WORD)-$(NODE)-$$(WORD)"},
        ],
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
    status = _until_over(cluster, namespace, "vars")["status"]
    first, second, third = cluster.pod_log(namespace, "vars", "main").splitlines()
    assert first == f"cpu-0 blue hidden blue-cpu-0-$(WORD) arg-blue {status['podIP']}"
    assert (second, third) == ("level: high", "written down")


def test_a_claim_is_read_only_and_its_pod_waits_for_the_folder(
    cluster: Cluster, namespace: str
) -> None:
    node = cluster.node("gpu-0")
    path = f"/var/lib/test/{namespace}"
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "mountOptions": ["ro"],
            "claimRef": {"namespace": namespace, "name": "weights"},
            "local": {"path": path},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {
                                    "key": "kubernetes.io/hostname",
                                    "operator": "In",
                                    "values": [node.name],
                                }
                            ]
                        }
                    ]
                }
            },
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "weights", "namespace": namespace},
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": "",
            "volumeName": namespace,
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
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
        state = container_state(_pod(cluster, namespace, "reader"))
        assert state["state"]["waiting"]["reason"] == "ContainerCreating"
        folder = node.root / path.lstrip("/")
        folder.mkdir(parents=True)
        (folder / "file").write_text("bytes\n")
        assert _until_over(cluster, namespace, "reader")["status"]["phase"] == "Failed"
        lines = cluster.pod_log(namespace, "reader", "main").splitlines()
        assert lines[0] == "bytes"
        assert all("Read-only file system" in line for line in lines[1:3]), lines
    finally:
        cluster.kubectl("delete", "pv", namespace, "--wait=false")


def test_a_bound_token_names_its_pod_and_node(cluster: Cluster, namespace: str) -> None:
    script = (
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
    pod = build_pod(
        "caller",
        namespace,
        script,
        image=PYTHON,
        labels={"escadre.test/network": "full"},
        spec={
            "restartPolicy": "Never",
            "nodeName": "gpu-1",
            "securityContext": {"runAsUser": 4711},
        },
    )
    cluster.apply(pod)
    ended = _until_over(cluster, namespace, "caller")
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


def test_an_engine_reaches_pods_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    serve = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"
    cluster.apply(build_pod("peer", namespace, serve, image=PYTHON))
    wait_for(lambda: is_ready(_pod(cluster, namespace, "peer")), 20, "pod peer Ready")
    peer = _pod(cluster, namespace, "peer")["status"]["podIP"]
    script = (
        "import socket\n"
        f"for host, port in (('{peer}', 8000), ('10.96.0.1', 443), ('10.10.0.1', 6443), "
        "('10.244.0.1', 6443)):\n"
        "    for _ in range(20):\n"
        "        try: socket.create_connection((host, port), 2).close(); word = 'open'; break\n"
        "        except OSError as e: word = 'closed'\n"
        "        if port != 8000: break\n"
        "    print(host, word)\n"
    )
    spec = {"restartPolicy": "Never"}
    labels = {"escadre.dev/component": "engine"}
    cluster.apply(build_pod("engine", namespace, script, image=PYTHON, spec=spec, labels=labels))
    assert _until_over(cluster, namespace, "engine")["status"]["phase"] == "Succeeded"
    words = dict(line.split() for line in cluster.pod_log(namespace, "engine", "main").splitlines())
    assert words == {
        peer: "open",
        "10.96.0.1": "closed",
        "10.10.0.1": "closed",
        "10.244.0.1": "closed",
    }


async def test_a_fake_pod_is_ready_without_a_process_and_goes_at_once(
    cluster: Cluster, namespace: str
) -> None:
    labels = {"escadre.test/fake": "true"}
    cluster.apply(build_pod("fake", namespace, "exit 1", labels=labels))
    wait_for(lambda: is_ready(_pod(cluster, namespace, "fake")), 20, "pod fake Ready")
    address = _pod(cluster, namespace, "fake")["status"]["podIP"]
    async with (
        aiohttp.ClientSession(connector=cluster.connector()) as session,
        session.get(f"http://{address}:8000/metrics") as response,
    ):
        assert "vllm:num_requests_running" in await response.text()
    cluster.kubectl("delete", "pod", "fake", "-n", namespace, "--wait=false")
    _until_gone(cluster, namespace, "fake")
