"""Objects that the policy tests use: approvals, signatures, pods, volumes, and people's roles."""

from typing import Any, Final

from tests.policies.users import (
    AGENT,
    ANNE,
    BRUNO,
    CLARA,
    DORA,
    EVE,
    OPERATOR,
    PIPELINE,
    Json,
    User,
)

__all__ = ["PEOPLE", "approval", "pod", "signature", "volume"]

_GROUP: Final = "escadre.dev"
_VERSION: Final = f"{_GROUP}/v1alpha1"
_STORE: Final = "/var/lib/escadre/models/" + "a" * 64


def approval(by: str = "anne", not_after: str = "2099-01-01T00:00:00Z", **metadata: Any) -> Json:
    """A request for a model."""
    return {
        "apiVersion": _VERSION,
        "kind": "ModelApproval",
        "metadata": {"name": "small", **metadata},
        "spec": {
            "requestedBy": by,
            "repository": "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
            "revision": "0" * 40,
            "mirrors": ["internal"],
            "files": [{"path": "params.json", "size": 10, "sha256": "0" * 64}],
            "manifestDigest": "sha256:" + "0" * 64,
            "architecture": {
                "format": "mistral",
                "tokenizer": "mistral",
                "dtype": "bfloat16",
                "weightBytes": 1000,
                "hiddenSize": 64,
                "intermediateSize": 128,
                "layers": 2,
                "attentionHeads": 4,
                "keyValueHeads": 2,
                "headDimension": 16,
                "vocabularySize": 1000,
                "maxContextLength": 4096,
            },
            "licence": {"spdx": "Apache-2.0", "acceptedBy": "legal"},
            "namespaces": ["chat"],
            "notAfter": not_after,
            "requiredApprovals": 2,
        },
    }


def signature(
    by: str, *, decision: str = "Approve", of: str = "small", name: str = "small-word"
) -> Json:
    """A word on an approval."""
    return {
        "apiVersion": _VERSION,
        "kind": "ModelSignature",
        "metadata": {"name": name},
        "spec": {
            "approval": of,
            "contentDigest": "sha256:" + "0" * 64,
            "decision": decision,
            "by": by,
        },
    }


def pod(name: str, component: str) -> Json:
    """A pod of the namespace chat, in its Service."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "chat",
            "labels": {
                "escadre.dev/component": component,
                "escadre.dev/deployment": "assistant",
                "escadre.dev/serving": "true",
            },
        },
        # No node takes it: the tests are about its metadata.
        "spec": {
            "containers": [{"name": "engine", "image": "registry.example/vllm:1"}],
            "nodeSelector": {"test": "nowhere"},
        },
    }


def volume(name: str = "escadre-new", **changes: Any) -> Json:
    """A volume as the operator makes it; ``changes`` replace keys of its spec."""
    spec: Json = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadOnlyMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "mountOptions": ["ro"],
        "local": {"path": _STORE},
        "nodeAffinity": {
            "required": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "test", "operator": "Exists"}]}]
            }
        },
    } | changes
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "escadre"}},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def _role(name: str, *rules: Json) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": list(rules),
    }


def _rule(resource: str, *verbs: str, group: str = _GROUP, names: tuple[str, ...] = ()) -> Json:
    rule: Json = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return rule | ({"resourceNames": list(names)} if names else {})


def _bind(role: str, *users: User) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"test-{role}"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role,
        },
        "subjects": [
            {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user.name}
            for user in users
        ],
    }


PEOPLE: Final[tuple[Json, ...]] = (
    _role("test-signer", _rule("modelsignatures", "create", "get")),
    _role("test-limited", _rule("modelapprovals", "approve", names=("limited",))),
    # Kubectl reads what it patches; the processes themselves need no such right.
    _role("test-kubectl-operator", _rule("nodes", "get", group=""), _rule("pods", "get", group="")),
    _role("test-kubectl-agent", _rule("gpunodes", "get")),
    _bind("escadre-requester", ANNE, PIPELINE),
    _bind("escadre-approver", BRUNO, CLARA, PIPELINE),
    _bind("test-signer", DORA, EVE),
    _bind("test-limited", DORA),
    _bind("test-kubectl-operator", OPERATOR),
    _bind("test-kubectl-agent", AGENT),
)
