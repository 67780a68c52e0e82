"""The network of a cluster, made once inside its namespace, and its link to the host.

The namespace belongs to processes, not to a file: when the last process in it ends, the kernel
removes every device, route and rule. So nothing here has an inverse.
"""

import contextlib
import itertools
import subprocess
from pathlib import Path
from typing import Final

from e2e.cluster.addresses import (
    CLUSTER_ADDRESS,
    CLUSTER_DEVICE,
    FAKE_POD_RANGE,
    FIRST_CLIENT_PORT,
    POD_GATEWAY,
    POD_RANGE,
    SERVICE_RANGE,
    HostLink,
    host_link,
    node_address,
)

__all__ = ["CLOSED_PREFIX", "OPEN_PREFIX", "connect_host", "free_place", "prepare_network"]

# Devices of pods that reach only the pod range, and of pods that reach everything in the cluster.
CLOSED_PREFIX: Final = "podc"
OPEN_PREFIX: Final = "podo"
_INSIDE: Final = "host0"


def _ip(lines: list[str], prefix: list[str] | None = None) -> None:
    command = [*(prefix or []), "ip", "-batch", "-"]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"setting up the network: {' '.join(command)}: {done.stderr.strip()}")


def prepare_network(nodes: int) -> None:
    """Addresses, routes and rules of the namespace this process is in."""
    device = CLUSTER_DEVICE
    addresses = [CLUSTER_ADDRESS, POD_GATEWAY, *(node_address(index) for index in range(nodes))]
    _ip(
        [
            "link set lo up",
            f"link add {device} type bridge",
            *(f"addr add {address}/32 dev {device}" for address in addresses),
            f"link set {device} up",
            # Without a route a Service address answers "network is unreachable" from here.
            f"route add {SERVICE_RANGE} dev {device} src {CLUSTER_ADDRESS}",
            f"route add unreachable {POD_RANGE}",
            f"route add local {FAKE_POD_RANGE} dev lo",
        ]
    )
    for setting, value in {
        "net.ipv4.ip_forward": "1",
        "net.ipv4.conf.all.rp_filter": "0",
        "net.ipv4.conf.default.rp_filter": "0",
        "net.ipv6.conf.all.disable_ipv6": "1",
        "net.ipv6.conf.default.disable_ipv6": "1",
        "net.core.somaxconn": "4096",
        # Many clients, but none on a port that a component is about to listen on.
        "net.ipv4.ip_local_port_range": f"{FIRST_CLIENT_PORT} 65000",
    }.items():
        with contextlib.suppress(OSError):  # a kernel without IPv6 has not all of them
            Path("/proc/sys", *setting.split(".")).write_text(value)
    # A closed pod answers the probes of its node, but opens nothing towards it.
    closed = ["-i", f"{CLOSED_PREFIX}+", "-m", "conntrack", "--ctstate", "NEW", "-j", "REJECT"]
    subprocess.run(["iptables", "-w", "-A", "INPUT", *closed], check=True)


def free_place(name: str) -> int:
    """The first place of a cluster's link to the host that no other cluster has; on the host."""
    done = subprocess.run(["ip", "-o", "-4", "addr"], capture_output=True, text=True, check=True)
    taken = {line.split()[3].partition("/")[0] for line in done.stdout.splitlines()}
    return next(
        place for place in itertools.count() if host_link(name, place).host_address not in taken
    )


def connect_host(link: HostLink, pid: int) -> None:
    """Connect the host with the namespace of process ``pid``; run on the host."""
    subprocess.run(["ip", "link", "del", link.device], capture_output=True, check=False)
    _ip(
        [
            f"link add {link.device} type veth peer name {_INSIDE} netns {pid}",
            f"addr add {link.host_address}/{link.prefix} dev {link.device}",
            f"link set {link.device} up",
        ]
    )
    _ip(
        [
            f"addr add {link.cluster_address}/{link.prefix} dev {_INSIDE}",
            f"link set {_INSIDE} up",
        ],
        ["nsenter", f"--net=/proc/{pid}/ns/net"],
    )
