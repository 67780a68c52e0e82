"""A real Kubernetes for tests, the demo and benchmarks: start it, use it, break it, end it.

``with Cluster("name") as cluster:`` starts one and ends it; ``Cluster.attach("name")`` uses one
that ``python -m e2e.cluster up`` started. Whatever kills this process ends the cluster too.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import aiohttp

from e2e.cluster.addresses import API_PORT, host_link
from e2e.cluster.audit import AuditLog
from e2e.cluster.binaries import provide_programs
from e2e.cluster.config import ClusterConfig, RunnerConfig
from e2e.cluster.control import call
from e2e.cluster.folders import StateFolder, state_folder
from e2e.cluster.launch import namespace_pid, remove_cluster, start_cluster
from e2e.cluster.machine import Machine
from e2e.cluster.namespaces import socket_factory
from e2e.cluster.network import free_place
from e2e.cluster.nodes import DEFAULT_NODES, NodeSpec
from e2e.cluster.prerequisites import missing_prerequisites
from e2e.cluster.programs import cache_folder
from e2e.cluster.readable import unreadable
from e2e.cluster.wait import wait_for

__all__ = ["Cluster", "CommandError"]


class CommandError(AssertionError):
    """A kubectl or helm command failed."""

    def __init__(self, command: Sequence[str], done: subprocess.CompletedProcess[str]) -> None:
        said = (done.stderr or done.stdout).strip()
        super().__init__(f"{' '.join(command)}: status {done.returncode}: {said}")
        self.stderr = done.stderr
        self.returncode = done.returncode


class Cluster:
    """One test cluster."""

    def __init__(
        self,
        name: str,
        nodes: Sequence[NodeSpec] = DEFAULT_NODES,
        runner: RunnerConfig | None = None,
        *,
        detached: bool = False,
    ) -> None:
        self.name = name
        self.state: StateFolder = state_folder(name)
        self.config = ClusterConfig(name, tuple(nodes), runner or RunnerConfig(), detached=detached)
        self.server_began = 0  # where in the audit log the API server of now begins
        self._holder: subprocess.Popen[bytes] | None = None

    @classmethod
    def attach(cls, name: str) -> Self:
        """A cluster that runs already."""
        state = state_folder(name)
        if namespace_pid(state) is None:
            raise RuntimeError(
                f"cluster {name!r} does not run: python -m e2e.cluster up --name {name} --keep"
            )
        cluster = cls(name)
        cluster.config = ClusterConfig.load(state)
        return cluster

    def start(self) -> Self:
        """Start it (building programs first if there are none) and return when it is usable."""
        if missing := missing_prerequisites() + unreadable():
            raise RuntimeError("; ".join(missing))
        found = provide_programs(print)
        paths = {name: str(one.path) for name, one in found.items()}
        self.config = replace(self.config, programs=paths, place=free_place(self.name))
        self._holder = start_cluster(self.config)
        return self

    def stop(self) -> None:
        """End it; nothing of it stays."""
        remove_cluster(self.name)
        if self._holder is not None:
            if self._holder.stdin is not None:
                self._holder.stdin.close()
            self._holder.wait(timeout=10)
            self._holder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of an administrator, good on the host and inside the namespace."""
        return self.state.kubeconfig

    @property
    def server(self) -> str:
        """URL of the API server, reachable on the host and inside the namespace."""
        return f"https://{host_link(self.name, self.config.place).cluster_address}:{API_PORT}"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log: one JSON line per finished request."""
        return self.state.audit_log

    @property
    def audit(self) -> AuditLog:
        """What that log says."""
        return AuditLog(self.audit_log)

    @property
    def ready_seconds(self) -> dict[str, float]:
        """When each step of the start was reached, in seconds."""
        steps: dict[str, float] = json.loads(self.state.ready.read_text())["steps"]
        return steps

    @property
    def netns(self) -> Path:
        """The network namespace, as a file for ``nsenter --net=``."""
        pid = namespace_pid(self.state)
        if pid is None:
            raise RuntimeError(f"cluster {self.name!r} does not run")
        return Path(f"/proc/{pid}/ns/net")

    def environment(self) -> dict[str, str]:
        """Environment for a program that uses this cluster: KUBECONFIG, and kubectl on PATH."""
        path = f"{cache_folder() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return os.environ | {"KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def in_netns(self, command: Sequence[str]) -> list[str]:
        """The command line that runs ``command`` inside the cluster's network namespace."""
        return ["nsenter", f"--net={self.netns}", "--", *command]

    def run_in_netns(
        self, command: Sequence[str], **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """``subprocess.run`` inside the network namespace; text and captured unless told else."""
        defaults: dict[str, Any] = {"text": True, "capture_output": True}
        defaults |= {"env": self.environment(), "timeout": 120}
        check = bool(options.pop("check", True))
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self.in_netns(command), check=check, **(defaults | options)
        )
        return done

    def popen_in_netns(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """``subprocess.Popen`` inside the network namespace; the caller ends the process."""
        defaults: dict[str, Any] = {"env": self.environment()}
        return subprocess.Popen(self.in_netns(command), **(defaults | options))

    def connector(self, **options: Any) -> aiohttp.TCPConnector:
        """A connector for aiohttp on the host that reaches Service and pod addresses."""
        return aiohttp.TCPConnector(socket_factory=socket_factory(self.netns), **options)

    def _command(self, program: str, arguments: Sequence[str], stdin: str | None = None) -> str:
        done = subprocess.run(
            [str(cache_folder() / "bin" / program), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            timeout=180,
            input=stdin,
        )
        if done.returncode != 0:
            raise CommandError([program, *arguments], done)
        return done.stdout

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator and return what it printed; ``CommandError`` on failure."""
        return self._command("kubectl", arguments, stdin)

    def helm(self, *arguments: str) -> str:
        """Run Helm as administrator and return what it printed."""
        return self._command("helm", arguments)

    def apply(self, *objects: dict[str, Any]) -> None:
        """``kubectl apply`` of objects given as JSON."""
        document = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(document))

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """One object as JSON."""
        scope = ["-n", namespace] if namespace else []
        document: dict[str, Any] = json.loads(self.kubectl("get", kind, name, *scope, "-o", "json"))
        return document

    def list(self, kind: str, *arguments: str) -> list[dict[str, Any]]:
        """Objects as JSON; further arguments go to ``kubectl get``."""
        document = json.loads(self.kubectl("get", kind, "-o", "json", *arguments))
        items: list[dict[str, Any]] = document["items"]
        return items

    def node(self, name: str) -> Machine:
        """The simulated machine behind a node, to switch off, on, or replace."""
        for index, spec in enumerate(self.config.nodes):
            if spec.name == name:
                return Machine(self.state, self.kubectl, spec, index)
        known = ", ".join(spec.name for spec in self.config.nodes)
        raise KeyError(f"cluster {self.name} has no node {name!r}; it has {known}")

    def component(self, name: str, operation: str, **more: str) -> dict[str, Any]:
        """Tell the supervisor to ``stop``, ``start`` or ``signal`` one component."""
        request = {"op": operation, "component": name, **more}
        return call(self.state.supervisor_socket, request)

    def components(self) -> dict[str, dict[str, int | None]]:
        """Process id (in the cluster's namespace) and number of starts of each component."""
        answer = call(self.state.supervisor_socket, {"op": "status"})
        components: dict[str, dict[str, int | None]] = answer["components"]
        return components

    def stop_apiserver(self) -> None:
        """Stop the API server; it stays down until ``start_apiserver``."""
        self.component("kube-apiserver", "stop")

    def start_apiserver(self) -> None:
        """Start the API server and return when it is ready."""
        self.server_began = self.audit_log.stat().st_size
        self.component("kube-apiserver", "start")
        wait_for(self._api_ready, 60, "the API server after its start")

    def _api_ready(self) -> bool:
        try:
            return self.kubectl("get", "--raw", "/readyz") == "ok"
        except CommandError:
            return False

    def pause_runner(self) -> None:
        """Stop the runner's clock: pods go on, nobody probes or restarts them."""
        self.component("runner", "signal", signal="STOP")

    def resume_runner(self) -> None:
        """Let a paused runner go on."""
        self.component("runner", "signal", signal="CONT")

    def kill_runner(self) -> None:
        """SIGKILL the runner: every pod dies with it; it is started again and restarts them."""
        self.component("runner", "signal", signal="KILL")

    def pod_folder(self, namespace: str, pod: str) -> Path:
        """Folder of a running pod: logs, scripts, volumes."""
        uid = self.get("pod", pod, namespace)["metadata"]["uid"]
        return self.state.pods / f"{namespace}_{pod}_{uid}"

    def pod_log(self, namespace: str, pod: str, container: str) -> str:
        """What a container of a running pod has written so far, all its starts."""
        path = self.pod_folder(namespace, pod) / f"{container}.log"
        return path.read_text(errors="replace") if path.exists() else ""
