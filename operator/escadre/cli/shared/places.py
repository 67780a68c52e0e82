"""Whether a file that a command will write can be, asked before anything else is."""

import os
from pathlib import Path

from escadre.errors import EscadreError

__all__ = ["check_place"]


def check_place(option: str, path: Path | None) -> None:
    """Refuses a place that is a folder, or in one that is not there or not ours to write to.

    None is a file that was not asked for. Raises EscadreError naming the option and what is in the
    way.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if path.is_dir():
        raise EscadreError(f"{option} {path}: it is a folder; name a file")
    if not folder.is_dir():
        raise EscadreError(f"{option} {path}: there is no folder {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise EscadreError(f"{option} {path}: you may not write there")
