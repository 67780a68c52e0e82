"""The rules of the Pod Security Standard "restricted" (Kubernetes 1.36) for a pod's spec."""

from collections.abc import Iterator
from typing import Any

__all__ = ["violations"]

Json = dict[str, Any]
_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SECCOMP = frozenset({"RuntimeDefault", "Localhost"})
_SELINUX = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    }
)
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def violations(pod: Json) -> list[str]:
    """What the standard forbids in a pod's spec; empty when it is restricted."""
    security = pod.get("securityContext") or {}
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes") or []:
        found += [
            f"volume {volume['name']} is a {kind}"
            for kind in set(volume) - {"name"}
            if kind not in _VOLUMES
        ]
    for sysctl in security.get("sysctls") or []:
        if sysctl["name"] not in _SYSCTLS:
            found.append(f"sysctl {sysctl['name']}")
    found += _labels("the pod", security)
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in pod.get(kind) or []:
            found += [f"container {container['name']}: {why}" for why in _of(container, security)]
    return found


def _of(container: Json, pod: Json) -> Iterator[str]:
    own = container.get("securityContext") or {}
    capabilities = own.get("capabilities") or {}
    if own.get("privileged"):
        yield "privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if "ALL" not in (capabilities.get("drop") or []):
        yield "does not drop ALL capabilities"
    if set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}:
        yield "adds capabilities"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if own.get("runAsUser", pod.get("runAsUser")) == 0:
        yield "runs as root"
    if (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in _SECCOMP:
        yield "no seccomp profile"
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield "host port"
    handlers = [container.get(probe) or {} for probe in _PROBES]
    handlers += (container.get("lifecycle") or {}).values()
    if any(
        (each.get(how) or {}).get("host") for each in handlers for how in ("httpGet", "tcpSocket")
    ):
        yield "probes another host"
    yield from _labels("it", own)


def _labels(who: str, security: Json) -> list[str]:
    found = []
    if security.get("procMount", "Default") != "Default":
        found.append(f"{who} has another procMount")
    if (security.get("windowsOptions") or {}).get("hostProcess"):
        found.append(f"{who} is a host process")
    selinux = security.get("seLinuxOptions") or {}
    if selinux.get("user") or selinux.get("role") or selinux.get("type", "") not in _SELINUX:
        found.append(f"{who} has SELinux options")
    if (security.get("appArmorProfile") or {}).get("type", "RuntimeDefault") == "Unconfined":
        found.append(f"{who} has no AppArmor profile")
    return found
