"""Objects as the operator would leave them, for the views to show."""

from typing import Any

from escadre.core.approvals.verdict import content_digest

Json = dict[str, Any]

DIGEST = "sha256:" + "ab" * 32
REVISION = "95a6d26c4bfb886c58daf9d3f7332c857cb27b9f"
REPOSITORY = "mistralai/Mistral-Small-3.2-24B-Instruct-2506"
GIB = 1 << 30
ARCHITECTURE: Json = {
    "format": "mistral",
    "tokenizer": "mistral",
    "dtype": "bfloat16",
    "weightBytes": 48022792280,
    "hiddenSize": 5120,
    "intermediateSize": 32768,
    "layers": 40,
    "attentionHeads": 32,
    "keyValueHeads": 8,
    "headDimension": 128,
    "vocabularySize": 131072,
    "maxContextLength": 131072,
}
PLAN: Json = {
    "summary": "2×H100 tp2",
    "product": "NVIDIA-H100-80GB-HBM3",
    "gpus": 2,
    "tensorParallelSize": 2,
    "pipelineParallelSize": 1,
    "maxModelLen": 32768,
    "maxNumSeqs": 32,
    "maxNumBatchedTokens": 8192,
    "gpuMemoryUtilizationPercent": 92,
    "typicalTokens": 4096,
    "targetQueueDepth": 24,
    "memory": {
        "visibleBytes": 79 * GIB,
        "usableBytes": 72 * GIB,
        "weightsBytes": 22 * GIB,
        "overheadBytes": 6 * GIB,
        "keyValueCacheBytes": 44 * GIB,
        "keyValueBytesPerToken": 81920,
    },
    "capacity": {
        "keyValueTokens": 576716,
        "requiredTokens": 131072,
        "fullLengthRequests": 17,
        "typicalRequests": 140,
    },
    "rejected": [
        {
            "product": "NVIDIA-H100-80GB-HBM3",
            "tensorParallelSize": 1,
            "reason": "CacheTooSmall",
            "message": "4.0 GiB of cache hold 26214 tokens, 131072 needed",
        }
    ],
}
SERVED: Json = {
    "name": "small",
    "uid": "u-1",
    "repository": REPOSITORY,
    "revision": REVISION,
    "manifestDigest": DIGEST,
}


def condition(type_: str, status: str, reason: str, message: str, step: str = "") -> Json:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        **({"nextStep": step} if step else {}),
        "observedGeneration": 1,
        "lastTransitionTime": "2026-09-21T14:10:00Z",
    }


SERVING: tuple[Json, ...] = (
    condition("Ready", "True", "Ready", "2 replicas ready, 1 needed"),
    condition("Approved", "True", "Approved", "signed by bob, claire; valid until 2027-06-30"),
    condition("Planned", "True", "Planned", "2×H100 tp2"),
    condition("WeightsReady", "True", "WeightsVerified", "verified on gpu-0, gpu-1"),
    condition("Scheduled", "True", "Scheduled", "2 replicas have a node"),
    condition("Serving", "True", "Serving", "2 replicas ready, 1 needed"),
    condition("Scaling", "True", "AtTarget", "demand 30 of 48"),
)
UNSEEN: tuple[Json, ...] = tuple(
    {
        **condition(each["type"], "Unknown", "Pending", "Nobody looked at this object yet."),
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }
    for each in SERVING
)


def weights(node: str, state: str, **more: Any) -> Json:
    return {"node": node, "manifestDigest": DIGEST, "state": state, "bytesTotal": 45 * GIB, **more}


def replica(slot: int, state: str, node: str = "", message: str = "") -> Json:
    return {
        "name": f"assistant-{slot}",
        "node": node,
        "state": state,
        "current": True,
        "digest": DIGEST,
        "message": message,
    }


def replicas(ready: int, *items: Json) -> Json:
    return {
        "desired": len(items),
        "ready": ready,
        "current": ready,
        "summary": f"{ready}/{len(items)}",
        "items": list(items),
    }


def with_conditions(*changed: Json) -> list[Json]:
    """The conditions of a serving deployment, some of them otherwise."""
    by_type = {each["type"]: each for each in changed}
    kept = [by_type.pop(each["type"], each) for each in SERVING]
    return [*kept, *by_type.values()]


SCALED: Json = {
    "from": 1,
    "to": 2,
    "demand": 40,
    "target": 24,
    "reason": "DemandUp",
    "at": "2026-09-21T14:12:00Z",
}

SCALING: Json = {
    "signal": "Requests",
    "demand": 30,
    "capacity": 24,
    "capacityFrom": "Fixed",
    "desiredBeforeLimits": 2,
    "minReplicas": 1,
    "history": [SCALED],
}


def deployment(name: str = "assistant", namespace: str = "chat", **status: Any) -> Json:
    """A ModelDeployment; without a status, a serving one."""
    whole: Json = {
        "observedGeneration": 1,
        "url": f"http://{name}.{namespace}.svc/v1",
        "approval": SERVED,
        "plan": PLAN,
        "weights": [weights("gpu-0", "Verified"), weights("gpu-1", "Verified")],
        "replicas": replicas(2, replica(0, "Ready", "gpu-0"), replica(1, "Ready", "gpu-1")),
        "lastScale": SCALED,
        "scaling": None if "conditions" in status else SCALING,
        "conditions": list(SERVING),
    }
    whole.update(status)
    return {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace, "generation": 1},
        "spec": {
            "approval": "small",
            "contextLength": 32768,
            "concurrency": 32,
            "scaling": {"minReplicas": 1, "maxReplicas": 4},
        },
        "status": {key: value for key, value in whole.items() if value is not None},
    }


def approval(name: str = "small", **status: Any) -> Json:
    """A ModelApproval that anne requested; nobody has looked at it."""
    spec: Json = {
        "requestedBy": "anne",
        "repository": REPOSITORY,
        "revision": REVISION,
        "mirrors": ["internal"],
        "files": [
            {"path": "consolidated.safetensors", "size": 48022792280, "sha256": "0" * 64},
            {"path": "params.json", "size": 1000, "sha256": "1" * 64},
        ],
        "manifestDigest": DIGEST,
        "architecture": ARCHITECTURE,
        "licence": {"spdx": "Apache-2.0", "acceptedBy": "legal@bank.example"},
        "namespaces": ["chat"],
        "notAfter": "2027-06-30T00:00:00Z",
        "requiredApprovals": 2,
    }
    body: Json = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelApproval",
        "metadata": {"name": name},
        "spec": spec,
    }
    if status:
        body["status"] = {"observedGeneration": 1, "contentDigest": content_digest(spec), **status}
    return body


def record(name: str, by: str, decision: str = "Approve", why: str = "") -> Json:
    return {
        "name": name,
        "by": by,
        "decision": decision,
        "at": "2026-09-21T14:00:00Z",
        "counted": not why,
        "why": why,
    }
