"""Says what this machine lacks for the test cluster, one line each with the command that helps.

Called by the command line before anything is built or started. It looks, it changes nothing.
"""

import os
import shutil
import sys
from typing import Final

__all__ = ["missing_prerequisites"]

_TOOLS: Final = {
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-save": "iptables",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "umount": "mount",
}
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def missing_prerequisites(*, root: bool = True) -> list[str]:
    """One line for each thing that is missing; empty when the cluster can start here."""
    if not sys.platform.startswith("linux"):
        return [f"the test cluster needs Linux (this is {sys.platform}): use a Linux machine or VM"]
    lines = []
    if root and os.geteuid() != 0:
        lines.append("the test cluster needs root for its network namespaces: run it with sudo")
    search = os.environ.get("PATH", os.defpath) + os.pathsep + _SBIN
    for tool, package in _TOOLS.items():
        if shutil.which(tool, path=search) is None:
            lines.append(f"program {tool!r} is missing: apt-get install -y {package}")
    return lines
