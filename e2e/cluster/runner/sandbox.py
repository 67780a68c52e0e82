"""The sandbox of a pod: network, IPC and UTS namespaces that its containers share.

A ``sleep`` holds them (the pause container of a real node). An open pod reaches everything in the
cluster; a closed one only the pod range, because it has no other route. The sandbox dies with the
runner, and its devices with it.
"""

import asyncio
import contextlib
import ipaddress
from dataclasses import dataclass

from e2e.cluster.addresses import NEXT_HOP, NEXT_HOP_MAC, POD_GATEWAY, POD_RANGE
from e2e.cluster.network import CLOSED_PREFIX, OPEN_PREFIX

__all__ = ["Sandbox", "SandboxError"]

_HOLD = 'echo "$0" >/proc/sys/kernel/hostname; echo up; exec sleep infinity'


class SandboxError(RuntimeError):
    """A pod's namespaces could not be made."""


async def _ip(lines: list[str], *prefix: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *prefix,
        "ip",
        "-batch",
        "-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate("\n".join(lines).encode() + b"\n")
    if process.returncode != 0:
        raise SandboxError(f"setting up a pod's network: {said.decode().strip()}")


@dataclass(slots=True)
class Sandbox:
    """Namespaces of one pod; ``pid`` holds them."""

    address: str
    pid: int
    _process: asyncio.subprocess.Process

    @classmethod
    async def create(cls, address: str, host_name: str, *, is_open: bool) -> "Sandbox":
        """Make the namespaces and connect them with the cluster's network."""
        process = await asyncio.create_subprocess_exec(
            *("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--ipc", "--uts"),
            *("sh", "-c", _HOLD, host_name),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        sandbox = cls(address, process.pid, process)
        try:
            await sandbox._until_up()
            await sandbox._connect(is_open=is_open)
        except BaseException:
            await sandbox.remove()
            raise
        return sandbox

    async def _until_up(self) -> None:
        assert self._process.stdout is not None
        if await self._process.stdout.readline() != b"up\n":
            raise SandboxError("making a pod's namespaces: unshare failed")

    async def _connect(self, *, is_open: bool) -> None:
        octets = ipaddress.IPv4Address(self.address).packed
        mac = "02:00:" + ":".join(f"{octet:02x}" for octet in octets)
        device = f"{OPEN_PREFIX if is_open else CLOSED_PREFIX}{octets[2]:02x}{octets[3]:02x}"
        pair = f"{device} address {NEXT_HOP_MAC} type veth peer name eth0 address {mac}"
        await _ip(
            [
                f"link add {pair} netns {self.pid}",
                f"addr add {POD_GATEWAY}/32 dev {device}",
                f"link set {device} up",
                f"route add {self.address}/32 dev {device} src {POD_GATEWAY}",
                f"neigh add {self.address} lladdr {mac} dev {device} nud permanent",
            ]
        )
        destination = "default" if is_open else POD_RANGE
        await _ip(
            [
                "link set lo up",
                f"addr add {self.address}/32 dev eth0",
                "link set eth0 up",
                f"route add {NEXT_HOP} dev eth0 scope link",
                f"neigh add {NEXT_HOP} lladdr {NEXT_HOP_MAC} dev eth0 nud permanent",
                f"route add {destination} via {NEXT_HOP} dev eth0",
            ],
            "nsenter",
            f"--net=/proc/{self.pid}/ns/net",
        )

    def enter(self) -> list[str]:
        """The command line prefix that puts a program into the sandbox."""
        return [
            "nsenter",
            *(f"--{kind}=/proc/{self.pid}/ns/{kind}" for kind in ("net", "ipc", "uts")),
        ]

    async def remove(self) -> None:
        """Let go of the namespaces; the kernel removes them with the last process inside."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
