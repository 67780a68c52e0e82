"""Hands out pod addresses, each to one pod at a time, and an old one as late as possible. Pure."""

import ipaddress
from collections.abc import Iterable

__all__ = ["AddressPool"]


class AddressPool:
    """The addresses of one range; the first two are never given out."""

    def __init__(self, network: str, taken: Iterable[str] = ()) -> None:
        parsed = ipaddress.IPv4Network(network)
        self._first = int(parsed.network_address) + 2
        self._last = int(parsed.broadcast_address) - 1
        self._next = self._first
        self._taken = {int(ipaddress.IPv4Address(one)) for one in taken}

    def take(self) -> str:
        """A free address."""
        for _ in range(self._last - self._first + 1):
            candidate = self._next
            self._next = candidate + 1 if candidate < self._last else self._first
            if candidate not in self._taken:
                self._taken.add(candidate)
                return str(ipaddress.IPv4Address(candidate))
        raise RuntimeError(f"no pod address is free: all {len(self._taken)} are taken")

    def give_back(self, address: str) -> None:
        """The address may be used again, after all others."""
        self._taken.discard(int(ipaddress.IPv4Address(address)))
