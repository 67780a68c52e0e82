"""Says when pods could not read this checkout: they run as other users than the one who made it.

Called by ``Cluster`` before it starts. It looks, it changes nothing. Closed folders on the way to
the checkout do no harm, nor does a closed checkout itself: the container's script opens those.
"""

import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from e2e.cluster.config import REPOSITORY

__all__ = ["unreadable"]

# What was cloned and what was installed: a strict umask closes all files of one or of both.
_SAMPLES: Final = {
    REPOSITORY: ("e2e/cluster/__init__.py",),
    Path(sys.prefix): ("pyvenv.cfg",),
}


def unreadable(samples: Mapping[Path, Sequence[str]] = _SAMPLES) -> list[str]:
    """One line for each folder whose files other users cannot read, with the command that helps."""
    lines = []
    for folder, names in samples.items():
        closed = next((name for name in names if _is_closed(folder, name)), None)
        if closed is not None:
            lines.append(
                f"pods run as other users, and {folder / closed} is closed to them "
                f"(made under a strict umask?): chmod -R go+rX '{folder}'"
            )
    return lines


def _is_closed(folder: Path, name: str) -> bool:
    """Whether the file, or a folder between ``folder`` and it, is closed to other users."""
    path = folder / name
    between = [one for one in path.parents if one.is_relative_to(folder) and one != folder]
    passable = all(one.stat().st_mode & stat.S_IXOTH for one in between)
    return not (passable and path.stat().st_mode & stat.S_IROTH)
