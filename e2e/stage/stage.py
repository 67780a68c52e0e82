"""A cluster, the chart in it, a mirror beside it, and people who use it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from e2e.cluster.addresses import CLUSTER_ADDRESS
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import REPOSITORY, python_environment
from e2e.cluster.pods import is_ready
from e2e.cluster.podstates import refuse_hopeless
from e2e.cluster.wait import wait_for
from e2e.engine.checkpoint import Shape, write_checkpoint
from e2e.engine.mirror.tree import Tree
from e2e.stage.people import person

__all__ = ["CHART", "ENGINE_IMAGE", "NAMESPACE", "PROGRAM", "TEAM", "Stage", "merged"]

Json = dict[str, Any]
CHART = REPOSITORY / "charts" / "escadre"
PROGRAM = Path(sys.executable).with_name("escadre")
NAMESPACE = "escadre-system"
TEAM = "ia-pour-tous"
ENGINE_IMAGE = "escadre.test/vllm@sha256:" + "e" * 64
MIRROR_PORT = 8900
GPU_BYTES = 81559 << 20

VALUES: Json = {
    "image": {"repository": "escadre.test/escadre", "tag": "dev"},
    "engine": {
        "image": ENGINE_IMAGE,
        "memory": "1Gi",
        "cpu": "100m",
        "sharedMemory": "256Mi",
        "cacheSize": "1Gi",
        "drainSeconds": 30,
        "probePeriodSeconds": 1,
    },
    "scaling": {"scrapeSeconds": 2, "downStabilizationSeconds": 15},
    "agent": {
        "inventory": "simulated",
        "simulatedGpus": "/var/lib/escadre/gpus.json",
        "progressSeconds": 1,
        "maxUnavailable": "100%",
    },
}


def merged(values: Mapping[str, Any], more: Mapping[str, Any]) -> Json:
    """``values`` with ``more`` laid over, maps merged."""
    result = dict(values)
    for key, value in more.items():
        old = result.get(key)
        result[key] = (
            merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
        )
    return result


@dataclass
class Stage:
    """See the module. ``folder`` takes the mirror's files and the kubeconfigs.

    ``chart`` and ``program`` (the CLI) are this build's unless an earlier version is on stage.
    """

    cluster: Cluster
    folder: Path
    chart: Path = CHART
    program: Path = PROGRAM
    values: Json = field(default_factory=lambda: dict(VALUES))
    people: dict[str, Path] = field(default_factory=dict)
    commits: dict[str, str] = field(default_factory=dict)
    said: str = ""  # what the last draft printed
    _mirror: "subprocess.Popen[bytes] | None" = None

    def install(self, **more: Any) -> None:
        """Gives the nodes their simulated GPUs and installs (or upgrades) the chart."""
        for spec in self.cluster.config.nodes:
            if spec.gpus:
                self.simulate_gpus(spec.name)
        self.values = merged(self.values, more)
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(self.values))
        self.cluster.helm(
            "upgrade",
            "--install",
            "escadre",
            str(self.chart),
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            "--values",
            str(file),
        )

    def simulate_gpus(self, node: str) -> None:
        """Lays the list of GPUs on a node's disk, where its agent reads it."""
        spec = next(one for one in self.cluster.config.nodes if one.name == node)
        store = self.cluster.node(node).root / "var/lib/escadre"
        store.mkdir(parents=True, exist_ok=True)
        gpus = [
            {
                "index": index,
                "uuid": f"GPU-{node}-{index}",
                "product": spec.product,
                "memoryBytes": GPU_BYTES,
                "computeCapability": "9.0",
                "nvlink": True,
                "healthy": True,
            }
            for index in range(spec.gpus)
        ]
        (store / "gpus.json").write_text(json.dumps({"gpus": gpus}))

    def wait_installed(self, deadline: float = 60) -> None:
        """Until the operator leads and every agent is ready."""

        def ready() -> bool:
            pods = self.cluster.list("pods", "-n", NAMESPACE)
            refuse_hopeless(pods)
            states = [is_ready(pod) for pod in pods]
            gpu_nodes = sum(bool(spec.gpus) for spec in self.cluster.config.nodes)
            return len(states) >= gpu_nodes + 1 and all(states)

        wait_for(ready, deadline, "the pods of escadre to be ready")

    def person(self, name: str, *roles: str) -> Path:
        """A kubeconfig for a person with these ClusterRoles."""
        if name not in self.people:
            self.people[name] = person(self.cluster, name, roles, self.folder)
        return self.people[name]

    def escadre(
        self, *arguments: str, who: str = "", check: bool = True, width: int = 100
    ) -> "subprocess.CompletedProcess[str]":
        """Runs the CLI as a person, as an administrator without ``who``.

        Inside the cluster's network namespace, where the mirror answers.
        """
        kubeconfig = self.people[who] if who else self.cluster.kubeconfig
        done = subprocess.run(
            self.cluster.in_netns(self.command(*arguments)),
            env={**os.environ, "KUBECONFIG": str(kubeconfig), "COLUMNS": str(width)},
            text=True,
            capture_output=True,
            timeout=180,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"escadre {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done

    def command(self, *arguments: str) -> list[str]:
        """The command line of the CLI."""
        return [str(self.program), *arguments]

    # -- the mirror -----------------------------------------------------------------------------

    @property
    def tree(self) -> Tree:
        """The mirror's files."""
        return Tree(self.folder / "mirror")

    @property
    def mirror_url(self) -> str:
        """Where agents reach the mirror."""
        return f"http://{CLUSTER_ADDRESS}:{MIRROR_PORT}"

    @property
    def mirror_log(self) -> Path:
        """One line for each request that the mirror answered."""
        return self.folder / "mirror.log"

    def start_mirror(self, rate: int | None = None) -> None:
        """Serves the tree inside the cluster's network namespace."""
        (self.folder / "mirror").mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "e2e.engine.mirror",
            "--root",
            str(self.folder / "mirror"),
            "--host",
            CLUSTER_ADDRESS,
            "--port",
            str(MIRROR_PORT),
            "--verbose",
        ]
        if rate:
            command += ["--rate", str(rate)]
        with self.mirror_log.open("ab") as log:
            self._mirror = subprocess.Popen(
                self._beside_the_cluster(command),
                env={**os.environ, **python_environment()},
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C is for the demo, which may keep the cluster
            )
        wait_for(self._mirror_answers, 20, "the mirror to answer")

    def _beside_the_cluster(self, command: list[str]) -> list[str]:
        """The command, in the cluster's namespaces: it ends with the cluster, whoever ends that.

        nsenter forks to enter a PID namespace; what it forked ends with it.
        """
        namespaces = self.cluster.netns.parent
        enter = [
            "nsenter",
            f"--net={namespaces / 'net'}",
            f"--pid={namespaces / 'pid_for_children'}",
        ]
        return [*enter, "--", "setpriv", "--pdeathsig", "KILL", "--", *command]

    def _mirror_answers(self) -> bool:
        probe = f"import urllib.request as u; u.urlopen('{self.mirror_url}/healthz', timeout=2)"
        done = self.cluster.run_in_netns([sys.executable, "-c", probe], check=False)
        return done.returncode == 0 or "HTTP Error" in done.stderr

    @property
    def mirror_ended(self) -> bool:
        """Whether it was started and ended by itself."""
        return self._mirror is not None and self._mirror.poll() is not None

    def stop_mirror(self) -> None:
        """Ends the mirror."""
        if self._mirror is not None:
            self._mirror.terminate()
            self._mirror.wait(timeout=10)
            self._mirror = None

    def furnish(self) -> None:
        """The mirror, people, the team, and the model ``base``, published and approved."""
        self.start_mirror()
        self.team(TEAM)
        self.everybody()
        self.add_mirror()
        self.publish("base", seed=1)
        self.approve("base")

    # -- models -----------------------------------------------------------------------------------

    def team(self, namespace: str = TEAM) -> None:
        """A namespace of a team, under the strictest Pod Security level."""
        self.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": namespace,
                    "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                },
            }
        )

    def everybody(self) -> None:
        """Paul runs the platform, rita asks, anna and bruno (and rita) may sign."""
        self.person("paul", "escadre-platform")
        self.person("rita", "escadre-requester", "escadre-approver")
        for name in ("anna", "bruno"):
            self.person(name, "escadre-approver")

    def add_mirror(self, name: str = "internal", **spec: Any) -> None:
        """A ModelMirror for the stage's mirror."""
        self.cluster.apply(
            {
                "apiVersion": "escadre.dev/v1alpha1",
                "kind": "ModelMirror",
                "metadata": {"name": name},
                "spec": {
                    "type": "huggingface",
                    "url": self.mirror_url,
                    "manifestsURL": f"{self.mirror_url}/manifests",
                    **spec,
                },
            }
        )

    def publish(self, name: str, seed: int, shape: Shape | None = None) -> str:
        """Writes a tiny checkpoint onto the mirror as mistralai/<name>; returns its commit."""
        folder = self.folder / "models" / name
        write_checkpoint(folder, seed=seed, shape=shape or Shape())
        self.commits[name] = self.tree.publish(folder, f"mistralai/{name}")
        return self.commits[name]

    def draft(
        self,
        name: str,
        *,
        namespace: str = TEAM,
        who: str = "rita",
        options: Mapping[str, str] | None = None,
    ) -> Path:
        """Drafts an approval for a published model and publishes its manifest; the YAML's path."""
        folder = self.folder / "drafts" / name
        folder.mkdir(parents=True, exist_ok=True)
        given = {
            "--mirror": "internal",
            "--repository": f"mistralai/{name}",
            "--revision": self.commits[name],
            "--name": name,
            "--allow": namespace,
            "--licence": "Apache-2.0",
            "--accepted-by": "legal@bank.example",
            "--not-after": "2099-12-31",
            "--out": str(folder),
            **(options or {}),
        }
        words = [word for pair in given.items() for word in pair]
        self.said = self.escadre("approve", "draft", *words, who=who).stdout
        for manifest in folder.glob("*.manifest"):
            self.tree.publish_manifest(manifest.stem, manifest.read_bytes())
        return folder / f"{given['--name']}.yaml"

    def approve(
        self,
        name: str,
        *,
        signers: tuple[str, ...] = ("anna", "bruno"),
        namespace: str = TEAM,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Drafts and creates an approval as rita, and has it signed."""
        path = self.draft(name, namespace=namespace, options=options)
        self.kubectl("rita", "create", "-f", str(path))
        for who in signers:
            self.escadre("approve", "sign", (options or {}).get("--name", name), "--yes", who=who)

    def kubectl(self, who: str, *arguments: str, stdin: str | None = None) -> str:
        """Kubectl as a person."""
        return self.cluster.kubectl(f"--kubeconfig={self.people[who]}", *arguments, stdin=stdin)

    def deploy(self, name: str, approval: str, *, namespace: str = TEAM, **spec: Any) -> None:
        """A ModelDeployment, or a change of it."""
        self.cluster.apply(
            {
                "apiVersion": "escadre.dev/v1alpha1",
                "kind": "ModelDeployment",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"approval": approval, "contextLength": 4096, "concurrency": 4, **spec},
            }
        )

    def mdep(self, name: str, namespace: str = TEAM) -> Json:
        """A ModelDeployment as stored."""
        return self.cluster.get("mdep", name, namespace)

    def condition(self, name: str, type_: str, namespace: str = TEAM) -> Json:
        """One of its conditions; status and reason empty when it has none of the type."""
        conditions = self.mdep(name, namespace).get("status", {}).get("conditions", [])
        nothing = {"status": "", "reason": "", "message": ""}
        return next((one for one in conditions if one["type"] == type_), nothing)

    def wait_condition(
        self, name: str, type_: str, reason: str, *, deadline: float = 60, namespace: str = TEAM
    ) -> Json:
        """Until a condition has a reason; returns the condition."""

        def seen() -> Json | None:
            found = self.condition(name, type_, namespace)
            return found if found["reason"] == reason else None

        found = wait_for(seen, deadline, f"{namespace}/{name} to have {type_} with reason {reason}")
        return dict(found or {})

    def close(self) -> None:
        """Ends what runs outside the cluster's own processes."""
        self.stop_mirror()
