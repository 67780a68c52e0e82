"""Says what this machine lacks for the test cluster, one line each with the command that helps.

Called by the command line and by ``Cluster`` before anything is built or started, for whoever did
not come through the Makefile, which has ``e2e/machine/setup.sh`` install it. It changes nothing.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["missing_prerequisites"]

_NEEDS: Final = Path(__file__).parents[1] / "machine" / "needs.txt"
_SBIN: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def missing_prerequisites(*, root: bool = True) -> list[str]:
    """One line for each thing that is missing; empty when the cluster can start here."""
    if not sys.platform.startswith("linux"):
        return [f"the test cluster needs Linux (this is {sys.platform}): use a Linux machine or VM"]
    lines = []
    if root and os.geteuid() != 0:
        lines.append("the test cluster needs root for its network namespaces: run it with sudo")
    search = os.environ.get("PATH", os.defpath) + os.pathsep + _SBIN
    for tool, package in _tools():
        if shutil.which(tool, path=search) is None:
            lines.append(f"program {tool!r} is missing: apt-get install -y {package}")
    return lines


def _tools() -> Iterator[tuple[str, str]]:
    """Each program and its Debian package, from the table that the set-up reads too."""
    for line in _NEEDS.read_text().splitlines():
        if line and not line.startswith("#"):
            tool, package = line.split()
            yield tool, package
