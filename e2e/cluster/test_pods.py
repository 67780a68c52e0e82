"""The engine runner on a real API server: pods start, answer, fail and end as under a kubelet."""

import asyncio
from typing import Any

import aiohttp
import pytest

from e2e.cluster.addresses import API_PORT, KUBELET_PORT
from e2e.cluster.cluster import Cluster
from e2e.cluster.pods import PYTHON, build_pod, container_state, is_ready, until_gone, until_over
from e2e.cluster.wait import wait_for, wait_for_async

pytestmark = pytest.mark.cluster


def _get(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    return cluster.get("pod", name, namespace)


def test_no_connection_can_take_the_port_that_a_component_listens_on(cluster: Cluster) -> None:
    # One did, seldom: 10250 was gone when the runner was about to listen, and no pod ever started.
    listening = cluster.run_in_netns(["ss", "--no-header", "--listening", "--tcp", "--numeric"])
    ports = {int(line.split()[3].rpartition(":")[2]) for line in listening.stdout.splitlines()}
    clients = cluster.run_in_netns(["cat", "/proc/sys/net/ipv4/ip_local_port_range"]).stdout
    first, last = map(int, clients.split())
    assert {API_PORT, KUBELET_PORT} <= ports
    assert not {port for port in ports if first <= port <= last}


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
    wait_for(lambda: is_ready(_get(cluster, namespace, "web")), 30, "pod web Ready")
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
        pod = _get(cluster, namespace, "crash")
        waiting = container_state(pod).get("state", {}).get("waiting", {})
        return pod if waiting.get("reason") == "CrashLoopBackOff" else None

    pod = wait_for(looping, 30, "CrashLoopBackOff")
    state = container_state(pod)
    assert state["restartCount"] >= 1
    assert "restarting failed container=main" in state["state"]["waiting"]["message"]
    last = state["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"], last["message"]) == (3, "Error", "the reason\n")
    assert not is_ready(pod)
    wait_for(
        lambda: container_state(_get(cluster, namespace, "crash")).get("restartCount", 0) >= 3,
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
    status = until_over(cluster, namespace, "once")["status"]
    ended = status["containerStatuses"][0]["state"]["terminated"]
    assert (status["phase"], ended["exitCode"], ended.get("message")) == (phase, code, message)


def test_an_unknown_image_waits_like_one_that_cannot_be_pulled(
    cluster: Cluster, namespace: str
) -> None:
    cluster.apply(build_pod("unknown", namespace, "true", image="nowhere.test/none:1"))
    seen: set[str] = set()

    def both() -> bool:
        state = container_state(_get(cluster, namespace, "unknown")).get("state", {})
        waiting = state.get("waiting", {})
        if waiting.get("reason", "").endswith(("ErrImagePull", "ImagePullBackOff")):
            assert "nowhere.test/none:1" in waiting["message"]
            seen.add(waiting["reason"])
        return seen == {"ErrImagePull", "ImagePullBackOff"}

    wait_for(both, 30, "both states of a failed pull", lambda: seen)


_HOOK = "touch /gate/begun; until [ -e /gate/go ]; do sleep 0.1; done; touch /gate/hook"


def test_hook_and_grace_come_in_a_kubelets_order(cluster: Cluster, namespace: str) -> None:
    script = (
        "import pathlib, signal, sys, time\n"
        "def term(*_):\n"
        "    say('term'); time.sleep(0.5); say('bye'); sys.exit(0)\n"
        "def say(word): print(word, pathlib.Path('/gate/hook').exists(), flush=True)\n"
        "signal.signal(signal.SIGTERM, term)\n"
        "say('up')\n"
        "while True: time.sleep(0.1)\n"
    )
    pod = build_pod(
        "graceful",
        namespace,
        script,
        image=PYTHON,
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", _HOOK]}}},
        volumeMounts=[{"name": "gate", "mountPath": "/gate"}],
        spec={
            "nodeName": "gpu-1",
            "terminationGracePeriodSeconds": 120,
            "volumes": [{"name": "gate", "hostPath": {"path": f"/srv/{namespace}"}}],
        },
    )
    cluster.apply(pod)
    wait_for(lambda: "up" in cluster.pod_log(namespace, "graceful", "main"), 20, "its first word")
    log = cluster.pod_folder(namespace, "graceful") / "main.log"
    # A hard link keeps the log when the pod's folder goes.
    kept = cluster.state.root / f"{namespace}.log"
    kept.hardlink_to(log)
    cluster.kubectl("delete", "pod", "graceful", "-n", namespace, "--wait=false")
    gate = cluster.node("gpu-1").root / "srv" / namespace
    wait_for((gate / "begun").exists, 20, "the beginning of the hook")
    leaving = _get(cluster, namespace, "graceful")
    assert leaving["metadata"].get("deletionTimestamp")
    assert is_ready(leaving), "it serves until it is told to end"
    (gate / "go").touch()
    until_gone(cluster, namespace, "graceful")
    lines = kept.read_text().splitlines()
    assert lines == ["up False", "term True", "bye True"], "SIGTERM comes after the hook"


def test_a_hook_that_outlasts_the_grace_ends_with_its_pod(cluster: Cluster, namespace: str) -> None:
    hook = "echo hook > /proc/1/fd/1; sleep 3600"
    pod = build_pod(
        "overdue",
        namespace,
        "trap : TERM; echo up; while :; do sleep 1; done",
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", hook]}}},
        spec={"nodeName": "gpu-1", "terminationGracePeriodSeconds": 3600},
    )
    cluster.apply(pod)
    leave = ("delete", "pod", "overdue", "-n", namespace, "--wait=false")
    wait_for(lambda: "up" in cluster.pod_log(namespace, "overdue", "main"), 20, "its first word")
    cluster.kubectl(*leave)
    wait_for(lambda: "hook" in cluster.pod_log(namespace, "overdue", "main"), 20, "the hook to run")
    cluster.kubectl(*leave, "--grace-period=1")
    until_gone(cluster, namespace, "overdue")


def test_a_container_that_ignores_sigterm_is_killed_after_its_grace(
    cluster: Cluster, namespace: str
) -> None:
    spec = {"terminationGracePeriodSeconds": 2}
    script = "trap '' TERM; echo up; while true; do sleep 1; done"
    cluster.apply(build_pod("stubborn", namespace, script, spec=spec))
    wait_for(lambda: cluster.pod_log(namespace, "stubborn", "main"), 20, "its first word")
    cluster.kubectl("delete", "pod", "stubborn", "-n", namespace, "--wait=false")
    until_gone(cluster, namespace, "stubborn")


def test_a_failing_liveness_probe_restarts_the_container_within_its_own_grace(
    cluster: Cluster, namespace: str
) -> None:
    probe = {"exec": {"command": ["test", "!", "-e", "/run/ill"]}, "periodSeconds": 1}
    pod = build_pod(
        "ill",
        namespace,
        "trap '' TERM; sleep 2; touch /run/ill; exec sleep 1000",
        livenessProbe=probe | {"failureThreshold": 1, "terminationGracePeriodSeconds": 1},
        spec={"terminationGracePeriodSeconds": 300},
    )
    cluster.apply(pod)
    wait_for(
        lambda: container_state(_get(cluster, namespace, "ill")).get("restartCount", 0) >= 1,
        30,
        "a restart",
    )
    assert container_state(_get(cluster, namespace, "ill"))["lastState"]["terminated"]["exitCode"]


def test_an_engine_reaches_pods_and_nothing_else(cluster: Cluster, namespace: str) -> None:
    serve = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000)"
    listens = {"tcpSocket": {"port": 8000}, "periodSeconds": 1}
    cluster.apply(build_pod("peer", namespace, serve, image=PYTHON, readinessProbe=listens))
    wait_for(lambda: is_ready(_get(cluster, namespace, "peer")), 20, "pod peer Ready")
    peer = _get(cluster, namespace, "peer")["status"]["podIP"]
    script = (
        "import socket\n"
        f"for host, port in (('{peer}', 8000), ('10.96.0.1', 443), ('10.10.0.1', 6443), "
        "('10.244.0.1', 6443)):\n"
        "    limit = 30 if port == 8000 else 2\n"
        "    try: socket.create_connection((host, port), limit).close(); word = 'open'\n"
        "    except OSError: word = 'closed'\n"
        "    print(host, word)\n"
    )
    spec = {"restartPolicy": "Never"}
    labels = {"escadre.dev/component": "engine"}
    cluster.apply(build_pod("engine", namespace, script, image=PYTHON, spec=spec, labels=labels))
    assert until_over(cluster, namespace, "engine")["status"]["phase"] == "Succeeded"
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
    wait_for(lambda: is_ready(_get(cluster, namespace, "fake")), 20, "pod fake Ready")
    address = _get(cluster, namespace, "fake")["status"]["podIP"]
    async with (
        aiohttp.ClientSession(connector=cluster.connector()) as session,
        session.get(f"http://{address}:8000/metrics") as response,
    ):
        assert "vllm:num_requests_running" in await response.text()
    cluster.kubectl("delete", "pod", "fake", "-n", namespace, "--wait=false")
    until_gone(cluster, namespace, "fake")
