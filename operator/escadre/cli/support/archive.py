"""Writes a bundle as one file: whole or not at all, for its owner only, over nothing."""

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path

from escadre.errors import EscadreError

__all__ = ["check_free", "write"]

_OWNER_ONLY = 0o600


def write(path: Path, root: str, files: Mapping[str, bytes], now: float) -> int:
    """Packs ``files`` below the folder ``root``; returns the size of the archive.

    Raises EscadreError when there is something at ``path`` already, or it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    check_free(path)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                _pack(raw, root, files, now)
                raw.flush()
                os.fsync(raw.fileno())
            draft.chmod(_OWNER_ONLY)
            _put(draft, path)
            return path.stat().st_size
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise EscadreError(f"writing {path}: {error.strerror or error}") from error


def check_free(path: Path) -> None:
    """Raises EscadreError when there is something at ``path``: before the cluster is asked."""
    if path.exists() or path.is_symlink():
        raise _taken(path)


def _taken(path: Path) -> EscadreError:
    return EscadreError(f"{path} exists already and is not overwritten; name another: -o PATH")


def _put(draft: Path, path: Path) -> None:
    """A link fails where a renaming would overwrite what came meanwhile."""
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        check_free(path)
        draft.rename(path)


def _pack(raw: io.BufferedWriter, root: str, files: Mapping[str, bytes], now: float) -> None:
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size, entry.mtime, entry.mode = len(files[name]), int(now), _OWNER_ONLY
            archive.addfile(entry, io.BytesIO(files[name]))
