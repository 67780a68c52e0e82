"""A small world around the operator: fake API server, scheduler, kubelet, agents, binder.

Everything moves in steps, so that a run is the same every time and a fault can be put between any
two writes. The operator under test is the real one, without its watches: before each round its
informers list anew.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kube import FakeApi, FakeServer

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    MODEL_SIGNATURES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    Conflict,
)
from escadre.controller.caches import Caches
from escadre.controller.context import Context
from escadre.controller.events import EventRecorder
from escadre.controller.judge import deployment_approval
from escadre.controller.keys import FLEET, Key, approval_key, deployment_key, node_key
from escadre.controller.manager import reconcile
from escadre.controller.memory import EngineReading, Memory
from escadre.controller.observe import observe
from escadre.controller.scaling import judge_demand
from escadre.core.approval import content_digest
from escadre.core.facts import DeploymentKey
from escadre.errors import Retryable
from escadre.names import LABEL_COMPONENT
from escadre.settings import EngineSettings, Settings

__all__ = ["DIGEST", "OTHER_DIGEST", "Operator", "World", "approval_spec"]

Json = dict[str, Any]
DIGEST = "sha256:" + "1" * 64
OTHER_DIGEST = "sha256:" + "2" * 64
PRODUCT = "NVIDIA-H100-80GB-HBM3"
H100_MIB = 81559
QUIET_ROUNDS = 4

ARCHITECTURE: Json = {
    "format": "mistral",
    "tokenizer": "mistral",
    "dtype": "bfloat16",
    "weightBytes": 48_022_792_280,
    "hiddenSize": 5120,
    "intermediateSize": 32768,
    "layers": 40,
    "attentionHeads": 32,
    "keyValueHeads": 8,
    "headDimension": 128,
    "vocabularySize": 131072,
    "maxContextLength": 131072,
}


def approval_spec(digest: str = DIGEST, **more: Any) -> Json:
    """The spec of an approval for namespace ``team``, valid through 2027."""
    return {
        "requestedBy": "rita",
        "repository": "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        "revision": "a" * 40,
        "mirrors": ["internal"],
        "files": [{"path": "consolidated.safetensors", "size": 48_022_792_280, "sha256": "b" * 64}],
        "manifestDigest": digest,
        "architecture": ARCHITECTURE,
        "licence": {"spdx": "Apache-2.0", "acceptedBy": "legal"},
        "namespaces": ["team"],
        "notAfter": "2027-12-31T00:00:00Z",
        "requiredApprovals": 2,
        **more,
    }


class World:
    """The cluster. ``step`` lets every other controller do its part once."""

    def __init__(self, nodes: int = 2, gpus: int = 8, settings: Settings | None = None) -> None:
        self.server = FakeServer()
        self.settings = settings or Settings(
            engine=EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64)
        )
        self.failing: set[str] = set()  # names of workloads whose engine exits at start
        self.demand: dict[str, int] = {}  # requests in flight by pod uid
        self.pulls = True  # whether agents make progress
        for name in ("team", "escadre-system"):
            self.server.put(NAMESPACES, {"metadata": {"name": name}})
        for index in range(nodes):
            self.add_node(f"gpu-{index}", gpus)
        self.server.put(
            MODEL_MIRRORS,
            {
                "metadata": {"name": "internal"},
                "spec": {"type": "http", "url": "http://mirror.example", "maxConcurrentPulls": 4},
            },
        )

    def time(self) -> float:
        """Seconds since the epoch, by the server's clock."""
        return self.server.now.timestamp()

    # -- people ---------------------------------------------------------------------------------

    def add_node(self, name: str, gpus: int = 8) -> None:
        """A node with GPUs and its agent."""
        self.server.put(
            NODES,
            {
                "metadata": {
                    "name": name,
                    "labels": {
                        "nvidia.com/gpu.product": PRODUCT,
                        "nvidia.com/gpu.memory": str(H100_MIB),
                        "nvidia.com/gpu.compute.major": "9",
                        "nvidia.com/gpu.compute.minor": "0",
                    },
                },
                "status": {
                    "allocatable": {"nvidia.com/gpu": str(gpus)},
                    "nodeInfo": {"bootID": f"boot-{name}"},
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            },
        )
        self.server.put(
            PODS,
            {
                "metadata": {
                    "name": f"agent-{name}",
                    "namespace": "escadre-system",
                    "labels": {LABEL_COMPONENT: "agent"},
                },
                "spec": {"nodeName": name, "containers": []},
                "status": {
                    "phase": "Running",
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            },
        )

    def approve(
        self, name: str = "small", signers: tuple[str, ...] = ("anna", "bruno"), **more: Any
    ) -> None:
        """An approval, signed."""
        spec = approval_spec(**more)
        self.server.put(MODEL_APPROVALS, {"metadata": {"name": name}, "spec": spec})
        for who in signers:
            self.sign(name, who, "Approve")

    def sign(self, approval: str, who: str, decision: str) -> None:
        """A signature over the approval as stored."""
        stored = self.server.get(MODEL_APPROVALS, approval)
        assert stored is not None
        self.server.put(
            MODEL_SIGNATURES,
            {
                "metadata": {"name": f"{approval}-{who}-{decision.lower()}"},
                "spec": {
                    "approval": approval,
                    "contentDigest": content_digest(stored["spec"]),
                    "decision": decision,
                    "by": who,
                    "reason": "said so",
                },
            },
        )

    def deploy(self, name: str = "chat", **spec: Any) -> None:
        """A ModelDeployment, or a change of its spec."""
        live = self.server.get(MODEL_DEPLOYMENTS, name, "team")
        wish = {
            "approval": "small",
            "contextLength": 32768,
            **(live["spec"] if live else {}),
            **spec,
        }
        body: Json = {"metadata": {"name": name, "namespace": "team"}, "spec": wish}
        if live:
            body["metadata"] = live["metadata"]
        self.server.put(MODEL_DEPLOYMENTS, body)

    def mdep(self, name: str = "chat") -> Json:
        """The ModelDeployment as stored."""
        found = self.server.get(MODEL_DEPLOYMENTS, name, "team")
        assert found is not None, name
        return found

    def condition(self, type_: str, name: str = "chat") -> Json:
        """One of its conditions, {} when it has none of the type."""
        conditions = (self.mdep(name).get("status") or {}).get("conditions") or []
        return next((one for one in conditions if one["type"] == type_), {})

    def pods(self) -> list[Json]:
        """The engine pods."""
        return [
            pod
            for pod in self.server.all(PODS)
            if pod["metadata"].get("labels", {}).get(LABEL_COMPONENT) == "engine"
        ]

    # -- the other controllers ------------------------------------------------------------------

    def step(self) -> None:
        """Everybody else does one thing."""
        self.server.collect_garbage()
        self._agents()
        self._claims()
        self._workloads()
        self._schedule()
        self._run()

    def _agents(self) -> None:
        for gpunode in self.server.all(GPU_NODES):
            name = gpunode["metadata"]["name"]
            node = self.server.get(NODES, name)
            if node is None:
                continue
            before = {
                one["manifestDigest"]: one
                for one in (gpunode.get("status") or {}).get("weights") or []
            }
            weights = [
                self._pulled(want, before.get(want["manifestDigest"]))
                for want in gpunode["spec"].get("weights") or []
            ]
            status = {
                "nodeUID": node["metadata"]["uid"],
                "bootID": node["status"]["nodeInfo"]["bootID"],
                "storeID": f"store-{name}",
                "gpus": [
                    {
                        "index": index,
                        "uuid": f"GPU-{name}-{index}",
                        "product": PRODUCT,
                        "memoryBytes": H100_MIB << 20,
                        "computeCapability": "9.0",
                        "nvlink": True,
                        "healthy": True,
                    }
                    for index in range(int(node["status"]["allocatable"]["nvidia.com/gpu"]))
                ],
                "weights": [{**one, "storeID": f"store-{name}"} for one in weights],
            }
            if (gpunode.get("status") or {}) != status:
                self.server.put(GPU_NODES, {**gpunode, "status": status})

    def _pulled(self, want: Json, before: Json | None) -> Json:
        state = "Pulling" if before is None or not self.pulls else "Verified"
        return {
            "manifestDigest": want["manifestDigest"],
            "state": before["state"] if before and before["state"] == "Verified" else state,
            "bytesDone": want["bytes"] if state == "Verified" else want["bytes"] // 2,
            "bytesTotal": want["bytes"],
            "mirror": want["source"]["name"],
            "since": "2026-01-01T00:00:00Z",
        }

    def _claims(self) -> None:
        for claim in self.server.all(PERSISTENT_VOLUME_CLAIMS):
            meta = claim["metadata"]
            volume = self.server.get(PERSISTENT_VOLUMES, claim["spec"]["volumeName"])
            if volume is None:
                continue
            tied = volume["spec"]["claimRef"].get("uid")
            if not tied:
                volume["spec"]["claimRef"]["uid"] = meta["uid"]
                self.server.put(PERSISTENT_VOLUMES, volume)
            phase = "Bound" if tied in {None, meta["uid"]} else "Pending"
            if (claim.get("status") or {}).get("phase") != phase:
                self.server.status(
                    PERSISTENT_VOLUME_CLAIMS, meta["name"], meta["namespace"], {"phase": phase}
                )

    def _workloads(self) -> None:
        wanted: dict[str, Json] = {}
        for workload in self.server.all(DEPLOYMENTS):
            template = workload["spec"]["template"]
            digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
            wanted[f"{workload['metadata']['name']}-{digest}"] = workload
        running: dict[str, Json] = {}
        for pod in self.pods():
            owner = pod["metadata"]["ownerReferences"][0]["name"]
            if owner in wanted:
                running[owner] = pod
            else:
                self.server.remove(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        for owner, workload in wanted.items():
            if owner not in running:
                self._start(owner, workload)

    def _start(self, owner: str, workload: Json) -> None:
        template = workload["spec"]["template"]
        self.server.put(
            PODS,
            {
                "metadata": {
                    "name": f"{owner}-pod",
                    "namespace": workload["metadata"]["namespace"],
                    "labels": template["metadata"]["labels"],
                    "ownerReferences": [
                        {
                            "apiVersion": "apps/v1",
                            "kind": "ReplicaSet",
                            "name": owner,
                            "uid": workload["metadata"]["uid"],
                            "controller": True,
                        }
                    ],
                },
                "spec": template["spec"],
                "status": {"phase": "Pending"},
            },
        )

    def _schedule(self) -> None:
        free = {
            node["metadata"]["name"]: int(node["status"]["allocatable"]["nvidia.com/gpu"])
            for node in self.server.all(NODES)
        }
        for pod in self.pods():
            if pod["spec"].get("nodeName"):
                free[pod["spec"]["nodeName"]] = free.get(pod["spec"]["nodeName"], 0) - _gpus(pod)
        labels = {n["metadata"]["name"]: n["metadata"]["labels"] for n in self.server.all(NODES)}
        for pod in self.pods():
            if pod["spec"].get("nodeName"):
                continue
            terms = pod["spec"]["affinity"]["nodeAffinity"]
            preferred = [
                one["preference"]["matchFields"][0]["values"][0]
                for one in terms.get("preferredDuringSchedulingIgnoredDuringExecution", [])
            ]
            required = terms["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
            for name in [*preferred, *sorted(labels)]:
                fits = free.get(name, 0) >= _gpus(pod) and all(
                    labels.get(name, {}).get(one["key"]) in one["values"]
                    for one in required[0]["matchExpressions"]
                )
                if fits:
                    pod["spec"]["nodeName"] = name
                    self.server.put(PODS, pod)
                    free[name] -= _gpus(pod)
                    break

    def _run(self) -> None:
        for pod in self.pods():
            if not pod["spec"].get("nodeName"):
                continue
            owner = pod["metadata"]["ownerReferences"][0]["name"].rsplit("-", 1)[0]
            bad = owner in self.failing
            status: Json = {
                "phase": "Running",
                "podIP": "10.0.0.1",
                "conditions": [{"type": "Ready", "status": "False" if bad else "True"}],
                "containerStatuses": [
                    {
                        "name": "engine",
                        "ready": not bad,
                        "restartCount": 1 if bad else 0,
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}} if bad else {},
                        "lastState": {"terminated": {"exitCode": 1, "message": "too long"}}
                        if bad
                        else {},
                    }
                ],
            }
            if pod.get("status") != status:
                self.server.put(PODS, {**pod, "status": status})


def _gpus(pod: Json) -> int:
    return int(pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])


@dataclass
class Operator:
    """One life of the operator: its memory dies with it."""

    world: World
    api: FakeApi
    context: Context
    woken: set[Key] = field(default_factory=set)

    @staticmethod
    def start(world: World) -> "Operator":
        """A fresh process."""
        api = world.server.client("escadre")
        woken: set[Key] = set()
        context = Context(
            api=api,
            caches=Caches(api, "escadre-system"),
            memory=Memory(),
            settings=world.settings,
            recorder=EventRecorder(api, instance="test"),
            now=world.time,
            wake=lambda key, _: woken.add(key),
        )
        return Operator(world, api, context, woken)

    async def round(self) -> None:
        """Lists everything, reads the engines, and looks at every key once."""
        caches = self.context.caches
        for informer in caches.all():
            await informer.refresh()
        self._read_engines()
        await self._one(FLEET)
        for one in caches.deployments.values():
            self.judge(one.name)
        for view in caches.approvals.values():
            await self._one(approval_key(view.name))
        for node in caches.nodes.values():
            await self._one(node_key(node.name))
        keys = {deployment_key(one.namespace, one.name) for one in caches.deployments.values()}
        for volume in caches.volumes.values():
            labels = volume.labels
            keys.add(
                deployment_key(
                    labels["escadre.dev/owner-namespace"], labels["escadre.dev/owner-name"]
                )
            )
        for key in sorted(keys):
            await self._one(key)

    async def _one(self, key: Key) -> None:
        try:
            await reconcile(self.context, key)
        except (Retryable, Conflict):
            return  # comes again with the next round

    def _read_engines(self) -> None:
        memory, now = self.context.memory, self.context.now()
        for pod in self.context.caches.pods.values():
            if pod.component != "engine" or not pod.ready:
                continue
            before = memory.readings.get(pod.uid)
            load = self.world.demand.get(pod.deployment, 0) if pod.serving else 0
            quiet = (before.quiet if before else 0) + 1 if not pod.serving else 0
            memory.readings[pod.uid] = EngineReading(load, 0, now, quiet)

    def judge(self, name: str = "chat") -> None:
        """Runs the scaling policy once for a deployment."""
        caches, context = self.context.caches, self.context
        view = caches.deployments.get(name, "team")
        if view is None or DeploymentKey("team", name) not in context.memory.scale:
            return
        approval = deployment_approval(
            caches, context.settings, view, context.now(), context.policies()
        )
        observed = observe(caches, context.memory, view, approval.model, context.settings.engine)
        judge_demand(context, view, approval, observed, context.now())

    async def settle(self, rounds: int = 40) -> int:
        """Rounds until four in a row change nothing; how many it took.

        Four, because a drain counts two readings and a status waits up to 30 s with mere numbers.
        """
        quiet = 0
        for number in range(1, rounds + 1):
            before = self.world.server.version
            self.world.server.advance(11)
            self.world.step()
            await self.round()
            quiet = quiet + 1 if self.world.server.version == before else 0
            if quiet == QUIET_ROUNDS:
                return number
        raise AssertionError(f"still moving after {rounds} rounds: {self.api.writes[-5:]}")

    @property
    def desired(self) -> int:
        """What scaling wants for chat."""
        return self.context.memory.scale[DeploymentKey("team", "chat")].desired
