"""Every address and name inside a test cluster. Pure; read by the cluster and by the runner.

All of it lives in a network namespace of its own, so clusters side by side may share it. Only the
link to the host (one /30 per cluster) must differ between clusters.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Final

__all__ = [
    "API_PORT",
    "CLUSTER_ADDRESS",
    "CLUSTER_DEVICE",
    "FAKE_POD_RANGE",
    "FIRST_CLIENT_PORT",
    "KUBELET_PORT",
    "NEXT_HOP",
    "NEXT_HOP_MAC",
    "POD_GATEWAY",
    "POD_RANGE",
    "SERVICE_API_ADDRESS",
    "SERVICE_RANGE",
    "HostLink",
    "host_link",
    "node_address",
]

CLUSTER_DEVICE: Final = "k8s0"
CLUSTER_ADDRESS: Final = "10.10.0.1"
API_PORT: Final = 6443
KUBELET_PORT: Final = 10250
FIRST_CLIENT_PORT: Final = 11000  # the components listen below

SERVICE_RANGE: Final = "10.96.0.0/16"
SERVICE_API_ADDRESS: Final = "10.96.0.1"

POD_RANGE: Final = "10.244.0.0/16"  # pods with processes: one network namespace each
POD_GATEWAY: Final = "10.244.0.1"
FAKE_POD_RANGE: Final = "10.245.0.0/16"  # fake pods: the runner itself answers on all of them

# A pod's next hop: a link-local address that nobody holds, with a fixed MAC, so no ARP is needed.
NEXT_HOP: Final = "169.254.1.1"
NEXT_HOP_MAC: Final = "ee:ee:ee:ee:ee:ee"


@dataclass(frozen=True, slots=True)
class HostLink:
    """The pair of devices between the host and a cluster's namespace."""

    device: str
    host_address: str
    cluster_address: str
    prefix: int = 30


def host_link(name: str, place: int = 0) -> HostLink:
    """The link of the cluster called ``name``: a /30 of 10.213.0.0/16 chosen by the name's hash.

    ``place`` counts on from there, for two names may hash to one and the same.
    """
    digest = hashlib.sha256(name.encode()).digest()
    subnet = (int.from_bytes(digest[:2]) + place * 4) & 0xFFFC
    base = int(ipaddress.IPv4Address("10.213.0.0")) + subnet
    return HostLink(
        device=f"escadre-{digest[:3].hex()}",
        host_address=str(ipaddress.IPv4Address(base + 1)),
        cluster_address=str(ipaddress.IPv4Address(base + 2)),
    )


def node_address(index: int) -> str:
    """Address of the node with this place in the cluster's list."""
    return str(ipaddress.IPv4Address("10.10.1.0") + index + 1)
