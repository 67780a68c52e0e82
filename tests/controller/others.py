"""The other controllers of a cluster, one step at a time: agents, binder, scheduler, kubelet.

Everything moves in steps, so that a run is the same every time and a fault can be put between any
two writes.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.fakes.kube import FakeServer

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
)
from escadre.names import LABEL_COMPONENT

__all__ = ["H100_MIB", "PRODUCT", "Json", "Others"]

Json = dict[str, Any]
PRODUCT = "NVIDIA-H100-80GB-HBM3"
H100_MIB = 81559


class Others:
    """``step`` lets every other controller do its part once."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.failing: set[str] = set()  # names of workloads whose engine exits at start
        self.bad_flags: set[str] = set()  # with which engines exit at start
        self.pulls = True  # whether agents make progress
        self.probed: Json | None = None  # what agents find of a mirror that they are to probe
        self.dated = False  # whether kubelets tell when a pod turned ready

    def pods(self) -> list[Json]:
        """The engine pods."""
        return [
            pod
            for pod in self.server.all(PODS)
            if pod["metadata"].get("labels", {}).get(LABEL_COMPONENT) == "engine"
        ]

    def step(self) -> None:
        """Everybody else does one thing."""
        for part in self.parts():
            part()

    def parts(self) -> tuple[Callable[[], None], ...]:
        """Each of them, in the order in which one leads to the next."""
        return (
            self.server.collect_garbage,
            self._agents,
            self._claims,
            self._workloads,
            self._schedule,
            self._run,
        )

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
                    for index in range(int(node["status"]["allocatable"].get("nvidia.com/gpu", 0)))
                ],
                "weights": [{**one, "storeID": f"store-{name}"} for one in weights],
            }
            if self.probed is not None:
                status["probes"] = [
                    {
                        key: asked[key]
                        for key in ("mirror", "mirrorUID", "generation", "approval", "doubtedAt")
                        if key in asked
                    }
                    | {"since": "2026-01-01T00:00:00Z", **self.probed}
                    for asked in gpunode["spec"].get("probes") or []
                ]
            if (gpunode.get("status") or {}) != status:
                self.server.put(GPU_NODES, {**gpunode, "status": status})

    def _pulled(self, want: Json, before: Json | None) -> Json:
        state = "Pulling" if before is None or not self.pulls else "Verified"
        return {
            "manifestDigest": want["manifestDigest"],
            "state": before["state"] if before and before["state"] == "Verified" else state,
            "bytesDone": want["bytes"] if state == "Verified" else want["bytes"] // 2,
            "bytesTotal": want["bytes"],
            "mirror": (want.get("mirror") or want["source"])["name"],
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
            node["metadata"]["name"]: int(node["status"]["allocatable"].get("nvidia.com/gpu", 0))
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
                asked_for = any(_matches(term, labels.get(name, {})) for term in required)
                if asked_for and free.get(name, 0) >= _gpus(pod):
                    pod["spec"]["nodeName"] = name
                    self.server.put(PODS, pod)
                    free[name] -= _gpus(pod)
                    break

    def _run(self) -> None:
        for pod in self.pods():
            if not pod["spec"].get("nodeName"):
                continue
            owner = pod["metadata"]["ownerReferences"][0]["name"].rsplit("-", 1)[0]
            flags = pod["spec"]["containers"][0].get("args") or []
            bad = owner in self.failing or not self.bad_flags.isdisjoint(flags)
            status: Json = {
                "phase": "Running",
                "podIP": "10.0.0.1",
                "conditions": [self._turned(pod, "False" if bad else "True")],
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

    def _turned(self, pod: Json, status: str) -> Json:
        """Its condition Ready, with the time of its last turn if kubelets tell that."""
        if not self.dated:
            return {"type": "Ready", "status": status}
        before: Json = next(iter((pod.get("status") or {}).get("conditions") or []), {})
        same = before.get("status") == status
        since = before.get("lastTransitionTime") if same else self.server.stamp()
        return {"type": "Ready", "status": status, "lastTransitionTime": since}


def _matches(term: Json, labels: Json) -> bool:
    return all(labels.get(one["key"]) in one["values"] for one in term["matchExpressions"])


def _gpus(pod: Json) -> int:
    return int(pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"])
