"""A small world around the operator: a fake API server, nodes, and people who wish and sign.

`others` are the other controllers, `operator` the one under test.
"""

from typing import Any

from tests.controller.others import H100_MIB, PRODUCT, Json, Others

from escadre.clients.kube import (
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    MODEL_SIGNATURES,
    NAMESPACES,
    NODES,
    PODS,
)
from escadre.core.approvals.verdict import content_digest
from escadre.names import LABEL_COMPONENT
from escadre.settings import EngineSettings, Settings

__all__ = ["DIGEST", "OTHER_DIGEST", "World", "approval_spec"]

DIGEST = "sha256:" + "1" * 64
OTHER_DIGEST = "sha256:" + "2" * 64

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


class World(Others):
    """The cluster, with what people do to it."""

    def __init__(self, nodes: int = 2, gpus: int = 8, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings(
            engine=EngineSettings(image="registry.example/vllm@sha256:" + "e" * 64)
        )
        self.demand: dict[str, int] = {}  # requests in flight by pod uid
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
