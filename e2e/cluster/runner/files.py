"""Folders of small files that change all at once, as a kubelet writes projected volumes.

A reader sees ``..data -> ..<stamp>`` and ``key -> ..data/key``; a new version is a new folder and
one rename. Used for tokens, config maps, secrets and downward files.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FileEntry", "write_atomically"]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Content and mode of one file; ``user`` and ``group`` None leave root."""

    data: bytes
    mode: int = 0o644
    user: int | None = None
    group: int | None = None


def write_atomically(folder: Path, entries: Mapping[str, FileEntry]) -> bool:
    """Make ``folder`` hold exactly ``entries``; False when it did already."""
    current = folder / "..data"
    if current.is_symlink() and _holds(current, entries):
        return False
    stamp = f"..{os.urandom(6).hex()}"
    fresh = folder / stamp
    for name, entry in entries.items():
        path = fresh / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.data)
        os.chown(path, -1 if entry.user is None else entry.user, entry.group or 0)
        path.chmod(entry.mode)
    fresh.mkdir(exist_ok=True)
    old = folder / current.readlink() if current.is_symlink() else None
    link = folder / f"{stamp}_link"
    link.symlink_to(stamp)
    link.replace(current)
    _link_names(folder, {name.partition("/")[0] for name in entries})
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
    return True


def _holds(current: Path, entries: Mapping[str, FileEntry]) -> bool:
    present = {
        str(path.relative_to(current)): path for path in current.rglob("*") if path.is_file()
    }
    return set(present) == set(entries) and all(
        present[name].read_bytes() == entry.data for name, entry in entries.items()
    )


def _link_names(folder: Path, names: set[str]) -> None:
    for name in names:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    for path in folder.iterdir():
        if not path.name.startswith("..") and path.name not in names:
            path.unlink()
