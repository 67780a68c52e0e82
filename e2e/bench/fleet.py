"""The world of the benchmark: 8-GPU nodes whose agents are played, one approved model, wishes.

Agents are pods without a process; what they would report is written once, by an administrator:
each node holds the weights already. So nothing is measured but the control plane.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.bench.builds import THIS, Build
from e2e.bench.client import APPLY, MERGE, BareClient, Request
from e2e.cluster.cluster import Cluster
from e2e.cluster.config import RunnerConfig
from e2e.cluster.nodes import NodeSpec
from e2e.cluster.wait import wait_for, wait_for_async
from e2e.stage.stage import GPU_BYTES, NAMESPACE, TEAM, Stage

__all__ = ["DEPLOYMENTS_PATH", "Fleet", "Variant", "nodes_for", "wish_name"]

Json = dict[str, Any]
MODEL: Final = "base"
STORE: Final = "b5f6e2d4-0000-4000-8000-000000000001"
GROUP: Final = "/apis/escadre.dev/v1alpha1"
DEPLOYMENTS_PATH: Final = f"{GROUP}/namespaces/{TEAM}/modeldeployments"
_SPARE: Final = 1.15


def nodes_for(replicas: int) -> list[NodeSpec]:
    """Enough 8-GPU nodes for replicas of one GPU each, and some spare ones."""
    count = int(replicas * _SPARE / 8) + 1
    return [NodeSpec(f"gpu-{number:03}") for number in range(count)]


def wish_name(number: int) -> str:
    """Name of a ModelDeployment."""
    return f"model-{number:04}"


@dataclass(frozen=True, slots=True)
class Variant:
    """Whose fleet it is, for how many replicas beside one each there is room, how it is played."""

    build: Build = THIS
    spare: int = 0
    runner: RunnerConfig = RunnerConfig(fake_all=True)  # noqa: RUF009 - frozen


class Fleet:
    """A cluster with the chart and an approved model; wishes come and go."""

    def __init__(
        self, name: str, folder: Path, deployments: int, variant: Variant | None = None
    ) -> None:
        variant = variant or Variant()
        build = variant.build
        self.count = deployments
        self.nodes = nodes_for(deployments + variant.spare)
        self.cluster = Cluster(name, nodes=self.nodes, runner=variant.runner)
        self.stage = Stage(self.cluster, folder, chart=build.chart, program=build.program)

    def install(self, scrape_seconds: float = 3, **operator: Any) -> None:
        """The chart, whose own pods are played too, people, and the approval they signed."""
        self.stage.install(
            image={"repository": "escadre.test/fake"},
            operator={"replicas": 1, **operator},
            # Unless asked for otherwise the chart's own.
            scaling={"scrapeSeconds": scrape_seconds, "downStabilizationSeconds": 300},
        )
        self.stage.furnish()
        self.stage.stop_mirror()

    def wait_agents(self) -> None:
        """Until every node has its (played) agent."""

        def ready() -> bool:
            state = self.cluster.get("daemonset", "escadre-agent", NAMESPACE).get("status", {})
            return int(state.get("numberReady", 0)) >= len(self.nodes)

        wait_for(ready, self._deadline(120), "the agents to be ready")

    async def report_weights(self, client: BareClient) -> None:
        """Writes what the agents would; the operator must have made the GPUNodes."""

        async def known() -> bool:
            return len((await client.get(f"{GROUP}/gpunodes"))["items"]) >= len(self.nodes)

        await wait_for_async(known, self._deadline(60), "a GPUNode for each node")
        approval = await client.get(f"{GROUP}/modelapprovals/{MODEL}")
        digest = approval["spec"]["manifestDigest"]
        found = (await client.get("/api/v1/nodes"))["items"]
        await client.each(
            [self._report(one, digest)]
            for one in found
            if one["metadata"]["name"].startswith("gpu-")
        )

        async def labelled() -> bool:
            nodes = (await client.get("/api/v1/nodes"))["items"]
            return sum(_holds_weights(one) for one in nodes) >= len(self.nodes)

        await wait_for_async(labelled, self._deadline(120), "the weight label on each node")

    def _deadline(self, least: float) -> float:
        """For what is done node by node: a second for each, if that is more."""
        return max(least, len(self.nodes))

    def _report(self, node: Json, digest: str) -> Request:
        meta = node["metadata"]
        gpus = [
            {
                "index": index,
                "uuid": f"GPU-{meta['name']}-{index}",
                "product": meta["labels"]["nvidia.com/gpu.product"],
                "memoryBytes": GPU_BYTES,
                "computeCapability": "9.0",
                "nvlink": True,
                "healthy": True,
            }
            for index in range(8)
        ]
        weights = {
            "manifestDigest": digest,
            "storeID": STORE,
            "state": "Verified",
            "mirror": "internal",
            "since": "2026-01-01T00:00:00Z",
        }
        status = {
            "nodeUID": meta["uid"],
            "bootID": node["status"]["nodeInfo"]["bootID"],
            "storeID": STORE,
            "gpus": gpus,
            "weights": [weights],
        }
        path = f"{GROUP}/gpunodes/{meta['name']}/status"
        return "PATCH", path, json.dumps({"status": status}).encode(), MERGE

    async def wish(self, client: BareClient) -> dict[str, str]:
        """Creates every ModelDeployment; returns uid by name."""
        await client.each([_wish(number)] for number in range(self.count))
        return await uids(client)

    async def ready(self, client: BareClient) -> int:
        """How many are Ready."""
        found = await client.get(f"{DEPLOYMENTS_PATH}?resourceVersion=0")
        return sum(_is_ready(one) for one in found["items"])

    async def bound(self, client: BareClient) -> int:
        """How many claims are bound."""
        path = f"/api/v1/namespaces/{TEAM}/persistentvolumeclaims?resourceVersion=0"
        found = (await client.get(path))["items"]
        return sum(one["status"].get("phase") == "Bound" for one in found)

    async def clear(self, client: BareClient) -> None:
        """Everything of the team away, and the namespace made anew; no operator may run."""
        await client.send("DELETE", f"/api/v1/namespaces/{TEAM}")
        volumes = "/api/v1/persistentvolumes"
        await client.send("DELETE", volumes)

        async def gone() -> bool:
            left = (await client.get(volumes))["items"]
            names = [one["metadata"]["name"] for one in (await client.get(_SPACES))["items"]]
            return not left and TEAM not in names

        deadline = max(600, self.count)
        await wait_for_async(gone, deadline, "the namespace and its volumes to be gone")
        self.stage.team(TEAM)


_SPACES: Final = "/api/v1/namespaces"


async def uids(client: BareClient) -> dict[str, str]:
    """Uid of each ModelDeployment by name."""
    found: Iterable[Json] = (await client.get(DEPLOYMENTS_PATH))["items"]
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in found}


def _wish(number: int) -> Request:
    name = wish_name(number)
    body = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {
            "approval": MODEL,
            "contextLength": 4096,
            "concurrency": 4,
            "scaling": {"minReplicas": 1, "maxReplicas": 2},
        },
    }
    path = f"{DEPLOYMENTS_PATH}/{name}?fieldManager=team&force=true"
    return "PATCH", path, json.dumps(body).encode(), APPLY


def _is_ready(one: Json) -> bool:
    conditions = (one.get("status") or {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _holds_weights(node: Json) -> bool:
    prefix = "escadre.node-restriction.kubernetes.io/"
    return any(key.startswith(prefix) for key in node["metadata"]["labels"])
