"""An approval, signatures on it, and the verdict on both, for tests."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from escadre.api.approval import ModelApprovalSpec
from escadre.core.approvals.verdict import (
    ApprovalVerdict,
    PolicyState,
    Signature,
    content_digest,
    evaluate,
)

EXPIRES = datetime(2027, 6, 30, tzinfo=UTC).timestamp()
NOW = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
POLICIES = PolicyState(since=NOW - 10_000)
STORED: dict[str, Any] = {
    "requestedBy": "rita",
    "repository": "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    "revision": "95a6d26c4bfb886c58daf9d3f7332c857cb27b9f",
    "mirrors": ["internal"],
    "files": [{"path": "consolidated.safetensors", "size": 48022792280, "sha256": "ab" * 32}],
    "manifestDigest": "sha256:" + "cd" * 32,
    "architecture": {
        "format": "mistral",
        "tokenizer": "mistral",
        "dtype": "bfloat16",
        "weightBytes": 48022791168,
        "hiddenSize": 5120,
        "intermediateSize": 32768,
        "layers": 40,
        "attentionHeads": 32,
        "keyValueHeads": 8,
        "headDimension": 128,
        "vocabularySize": 131072,
        "maxContextLength": 131072,
    },
    "licence": {"spdx": "Apache-2.0", "acceptedBy": "legal"},
    "namespaces": ["team", "ia-pour-tous"],
    "notAfter": "2027-06-30T00:00:00Z",
    "requiredApprovals": 2,
}
SPEC = ModelApprovalSpec.model_validate(STORED)
DIGEST = content_digest(STORED)
OTHER = "sha256:" + "00" * 32


def signed(by: str, **changes: Any) -> Signature:
    one = Signature(f"small-{by}", "small", by, "Approve", DIGEST, NOW - 100)
    return replace(one, **changes)


ANNA, BRUNO = signed("anna"), signed("bruno")
REVOKE = signed("carla", decision="Revoke", reason="wrong licence")
MISSING_POLICY = PolicyState(problem="ValidatingAdmissionPolicy escadre-signatures is missing")


def verdict(
    *signatures: Signature,
    spec: ModelApprovalSpec = SPEC,
    minimum: int = 2,
    policies: PolicyState = POLICIES,
    now: float = NOW,
) -> ApprovalVerdict:
    return evaluate("small", spec, DIGEST, signatures, minimum=minimum, policies=policies, now=now)
