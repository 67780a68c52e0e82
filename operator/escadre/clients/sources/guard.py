"""Which addresses a connection to a mirror may be made to. Pure.

A ModelMirror is written by those who run mirrors; what it names must not lead an agent, which sits
inside the cluster's network, to its own pod, to what nodes and clouds serve at link-local
addresses, or to the API server; other addresses are the platform's to name. Asked with each address
that a name was resolved to, right before the connection to that very address is made
(clients/sources/dial.py), so that no second answer of a name server comes in between.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from escadre.clients.sources.errors import AddressRefused

__all__ = ["Guard", "guard_of"]

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Of AWS, Alibaba, Azure, Google and Oracle, beside 169.254.169.254.
_METADATA: Final = (
    "fd00:ec2::/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "fd20:ce::254/128",
    "fd00:c1::a9fe:a9fe/128",
)
# First match names it. IPv4 inside IPv6 would reach what its IPv4 form is refused for.
_KINDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("a loopback address", ("127.0.0.0/8", "::1/128")),
    ("a link-local address", ("169.254.0.0/16", "fe80::/10")),
    ("a cloud's metadata service", _METADATA),
    ("no address of a host", ("0.0.0.0/8", "::/128", "255.255.255.255/32")),
    ("a multicast address", ("224.0.0.0/4", "ff00::/8")),
    (
        "an IPv4 address inside IPv6",
        ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16"),
    ),
)
_REFUSED: Final = tuple(
    (kind, ipaddress.ip_network(network)) for kind, networks in _KINDS for network in networks
)


@dataclass(frozen=True, slots=True)
class Guard:
    """What the platform says about addresses of mirrors.

    Args:
        allowed: networks that may be reached whatever they are.
        refused: networks that may not, beside those that never may.
        api_servers: addresses of the API server.
    """

    allowed: tuple[_Network, ...] = ()
    refused: tuple[_Network, ...] = ()
    api_servers: frozenset[_Address] = frozenset()

    def check(self, host: str, address: str) -> None:
        """Raises AddressRefused where ``host`` is at such an address."""
        text = address.partition("%")[0]
        found = ipaddress.ip_address(text)
        if any(found in network for network in self.allowed):
            return
        if kind := self._kind(found):
            at = "" if host == text else f" is at {text}, which"
            raise AddressRefused(
                f"{host}{at} is {kind}: no mirror is read there unless the chart value "
                "agent.mirrorAllowedCIDRs lists it",
            )

    def _kind(self, address: _Address) -> str:
        if address in self.api_servers:
            return "the API server's address"
        if any(address in network for network in self.refused):
            return "in agent.mirrorRefusedCIDRs"
        return next((kind for kind, network in _REFUSED if address in network), "")


def guard_of(allowed: Iterable[str], refused: Iterable[str], api_server: str = "") -> Guard:
    """From the settings' CIDRs and the API server's address; a name instead of one counts not."""
    try:
        servers = frozenset({ipaddress.ip_address(api_server.strip("[]"))})
    except ValueError:
        servers = frozenset()
    return Guard(
        tuple(ipaddress.ip_network(one, strict=False) for one in allowed),
        tuple(ipaddress.ip_network(one, strict=False) for one in refused),
        servers,
    )
