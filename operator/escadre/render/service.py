"""What stands in front of the replicas: Service, disruption budget, network policy."""

from collections.abc import Sequence
from typing import Any

from escadre.names import LABEL_COMPONENT, LABEL_SERVING, SERVING_PORT
from escadre.render.labels import Owner, engine_selector, metadata

__all__ = ["budget", "network_policy", "service", "url"]


def url(owner: Owner) -> str:
    """Base URL of the OpenAI-compatible API."""
    return f"http://{owner.name}.{owner.namespace}.svc/v1"


def service(owner: Owner) -> dict[str, Any]:
    """Port 80 to every ready pod that was not taken out to drain."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "type": "ClusterIP",
            "selector": {**engine_selector(owner), LABEL_SERVING: "true"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
        },
    }


def budget(owner: Owner) -> dict[str, Any]:
    """One replica may be evicted at a time; one that is not ready may always."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": engine_selector(owner)},
        },
    }


def network_policy(
    owner: Owner, operator_namespace: str, ingress_namespaces: Sequence[str]
) -> dict[str, Any]:
    """No way out of an engine; in only for its namespace, the operator and chosen namespaces."""
    allowed: list[dict[str, Any]] = [
        {"podSelector": {}},
        {
            "namespaceSelector": _namespace(operator_namespace),
            "podSelector": {"matchLabels": {LABEL_COMPONENT: "operator"}},
        },
    ]
    allowed += [{"namespaceSelector": _namespace(name)} for name in sorted(ingress_namespaces)]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, owner.name),
        "spec": {
            "podSelector": {"matchLabels": engine_selector(owner)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": allowed, "ports": [{"port": SERVING_PORT, "protocol": "TCP"}]}],
            "egress": [],
        },
    }


def _namespace(name: str) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": name}}
