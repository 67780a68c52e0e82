"""Who a container runs as and what it may do, from pod and container security context. Pure."""

from dataclasses import dataclass
from typing import Any

from e2e.cluster.runner.images import Image

__all__ = ["Identity", "IdentityError", "identity_of"]


class IdentityError(ValueError):
    """The security context cannot be met; a kubelet says CreateContainerConfigError."""


@dataclass(frozen=True, slots=True)
class Identity:
    """User, groups and capabilities of a container."""

    user: int
    group: int
    groups: tuple[int, ...]
    read_only_root: bool
    privilege_escalation: bool
    drop_all: bool
    added_capabilities: tuple[str, ...]


def identity_of(pod: dict[str, Any], container: dict[str, Any], image: Image) -> Identity:
    """Merge the two security contexts; the container's own values win."""
    for_pod = pod["spec"].get("securityContext") or {}
    own = container.get("securityContext") or {}
    user = int(own.get("runAsUser", for_pod.get("runAsUser", image.user)))
    if user == 0 and own.get("runAsNonRoot", for_pod.get("runAsNonRoot", False)):
        raise IdentityError("container has runAsNonRoot and image will run as root")
    groups = [int(one) for one in for_pod.get("supplementalGroups", ())]
    if "fsGroup" in for_pod:
        groups.append(int(for_pod["fsGroup"]))
    capabilities = own.get("capabilities") or {}
    return Identity(
        user=user,
        group=int(own.get("runAsGroup", for_pod.get("runAsGroup", 0))),
        groups=tuple(dict.fromkeys(groups)),
        read_only_root=bool(own.get("readOnlyRootFilesystem", False)),
        privilege_escalation=bool(own.get("allowPrivilegeEscalation", True)),
        drop_all="ALL" in capabilities.get("drop", ()),
        added_capabilities=tuple(capabilities.get("add", ())),
    )
