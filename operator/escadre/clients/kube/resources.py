"""The table of API resources that Escadre reads or writes, and their URLs.

Plurals are not derived from kinds and nothing is discovered at run time: what stands here is what
the roles in the chart must grant. Pure.
"""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from escadre.names import GROUP, VERSION

__all__ = [
    "CONFIG_MAPS",
    "CUSTOM_RESOURCE_DEFINITIONS",
    "DEPLOYMENTS",
    "EVENTS",
    "GPU_NODES",
    "LEASES",
    "MODEL_APPROVALS",
    "MODEL_DEPLOYMENTS",
    "MODEL_MIRRORS",
    "MODEL_SIGNATURES",
    "NAMESPACES",
    "NETWORK_POLICIES",
    "NODES",
    "OURS",
    "PERSISTENT_VOLUMES",
    "PERSISTENT_VOLUME_CLAIMS",
    "PODS",
    "POD_DISRUPTION_BUDGETS",
    "RESOURCES",
    "RESOURCE_CLAIMS",
    "SECRETS",
    "SELF_SUBJECT_ACCESS_REVIEWS",
    "SELF_SUBJECT_REVIEWS",
    "SERVICES",
    "VALIDATING_ADMISSION_POLICIES",
    "VALIDATING_ADMISSION_POLICY_BINDINGS",
    "Resource",
    "resource_of",
]


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the API server: where it lives and what its objects are called."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """What stands in ``apiVersion``: ``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """URL path of the collection (no name) or of one object; no namespace = all of them."""
        if name is not None and self.namespaced != bool(namespace):
            need = "a namespace" if self.namespaced else "no namespace"
            raise ValueError(f"addressing {self.kind} {name!r}: needs {need}, got {namespace!r}")
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root]
        if namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name is not None:
            parts.append(quote(name, safe=""))
        if subresource is not None:
            parts.append(subresource)
        return "/".join(parts)

    def describe(self, namespace: str | None = None, name: str | None = None) -> str:
        """How messages name an object: ``Deployment ns/name``, ``Node n``, ``all Pods in ns``."""
        if name:
            return f"{self.kind} {namespace}/{name}" if namespace else f"{self.kind} {name}"
        where = f" in {namespace}" if namespace else ""
        return f"{self.plural}{where}"


def _ours(plural: str, kind: str, *, namespaced: bool = False) -> Resource:
    return Resource(GROUP, VERSION, plural, kind, namespaced)


def _core(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource("", "v1", plural, kind, namespaced)


MODEL_DEPLOYMENTS: Final = _ours("modeldeployments", "ModelDeployment", namespaced=True)
MODEL_APPROVALS: Final = _ours("modelapprovals", "ModelApproval")
MODEL_SIGNATURES: Final = _ours("modelsignatures", "ModelSignature")
MODEL_MIRRORS: Final = _ours("modelmirrors", "ModelMirror")
GPU_NODES: Final = _ours("gpunodes", "GPUNode")

OURS: Final = (MODEL_DEPLOYMENTS, MODEL_APPROVALS, MODEL_MIRRORS, MODEL_SIGNATURES, GPU_NODES)

SERVICES: Final = _core("services", "Service")
PODS: Final = _core("pods", "Pod")
EVENTS: Final = _core("events", "Event")
CONFIG_MAPS: Final = _core("configmaps", "ConfigMap")
SECRETS: Final = _core("secrets", "Secret")
PERSISTENT_VOLUME_CLAIMS: Final = _core("persistentvolumeclaims", "PersistentVolumeClaim")
PERSISTENT_VOLUMES: Final = _core("persistentvolumes", "PersistentVolume", namespaced=False)
NODES: Final = _core("nodes", "Node", namespaced=False)
NAMESPACES: Final = _core("namespaces", "Namespace", namespaced=False)

DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
POD_DISRUPTION_BUDGETS: Final = Resource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", namespaced=True
)
NETWORK_POLICIES: Final = Resource(
    "networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", namespaced=True
)
# Served from Kubernetes 1.34 on.
RESOURCE_CLAIMS: Final = Resource(
    "resource.k8s.io", "v1", "resourceclaims", "ResourceClaim", namespaced=True
)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True)
CUSTOM_RESOURCE_DEFINITIONS: Final = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    namespaced=False,
)
VALIDATING_ADMISSION_POLICIES: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicies",
    "ValidatingAdmissionPolicy",
    namespaced=False,
)
VALIDATING_ADMISSION_POLICY_BINDINGS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingadmissionpolicybindings",
    "ValidatingAdmissionPolicyBinding",
    namespaced=False,
)
SELF_SUBJECT_REVIEWS: Final = Resource(
    "authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEWS: Final = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
)

RESOURCES: Final[tuple[Resource, ...]] = (
    MODEL_DEPLOYMENTS,
    MODEL_APPROVALS,
    MODEL_SIGNATURES,
    MODEL_MIRRORS,
    GPU_NODES,
    SERVICES,
    PODS,
    EVENTS,
    CONFIG_MAPS,
    SECRETS,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    NODES,
    NAMESPACES,
    DEPLOYMENTS,
    POD_DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
    RESOURCE_CLAIMS,
    LEASES,
    CUSTOM_RESOURCE_DEFINITIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    SELF_SUBJECT_REVIEWS,
    SELF_SUBJECT_ACCESS_REVIEWS,
)
_BY_KIND: Final = {(each.api_version, each.kind): each for each in RESOURCES}


def resource_of(body: dict[str, Any]) -> Resource:
    """The resource of an object, by its ``apiVersion`` and ``kind``."""
    api_version, kind = body.get("apiVersion", ""), body.get("kind", "")
    try:
        return _BY_KIND[(api_version, kind)]
    except KeyError:
        raise ValueError(
            f"looking up {api_version} {kind}: not a resource that Escadre handles"
        ) from None
