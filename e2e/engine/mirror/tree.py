"""The folder of a mirror: ``ROOT/<org>/<name>/<commit>/<files>`` and ``ROOT/escadre-manifests``.

Such a folder is a whole static mirror as nginx serves it; ``server.py`` adds Hugging Face's routes
over the same files. Writing goes through ``publish`` and ``publish_manifest``; nothing here is
trusted by the product, so no digest is checked.
"""

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["COMMIT", "MANIFESTS", "Entry", "Tree", "flip_byte"]

MANIFESTS: Final = "escadre-manifests"
COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_BRANCH: Final = "main"
_LFS_FROM: Final = 1 << 20  # larger files are kept as LFS objects, as on the hub


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a revision."""

    path: str
    size: int
    sha256: str
    git_oid: str

    @property
    def lfs(self) -> bool:
        """Whether the hub would keep it outside git."""
        return self.size > _LFS_FROM or self.path.endswith(".safetensors")

    def as_tree_item(self) -> dict[str, Any]:
        """The file as the hub's tree route lists it."""
        item: dict[str, Any] = {"type": "file", "oid": self.git_oid, "size": self.size}
        if self.lfs:
            item["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": 134}
        return item | {"path": self.path}

    def as_sibling(self, *, blobs: bool) -> dict[str, Any]:
        """The file as the hub's model information lists it."""
        item: dict[str, Any] = {"rfilename": self.path}
        if blobs:
            item |= {"size": self.size, "blobId": self.git_oid}
            if self.lfs:
                item["lfs"] = {"sha256": self.sha256, "size": self.size, "pointerSize": 134}
        return item


class Tree:
    """One root folder; hashes are kept per file until size or mtime change."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._hashes: dict[tuple[Path, int, int], tuple[str, str]] = {}
        self._lock = threading.Lock()

    def publish(self, folder: Path, repository: str, commit: str | None = None) -> str:
        """Copy ``folder`` (by hard links where it can) as a revision; ``main`` points to it.

        The commit defaults to one made from the content, so the same bytes have the same commit.
        """
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if commit is None:
            digest = hashlib.sha1(usedforsecurity=False)
            for path in files:
                digest.update(f"{path.relative_to(folder)} {self._hash(path)[0]}\n".encode())
            commit = digest.hexdigest()
        target = self.root / repository / commit
        for path in files:
            copy = target / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.unlink(missing_ok=True)
            _link_or_copy(path, copy)
        (self.root / repository / _BRANCH).write_text(commit + "\n", encoding="ascii")
        return commit

    def publish_manifest(self, digest: str, text: str | bytes) -> Path:
        """Put a manifest where both adapters look for it; ``digest`` with or without prefix."""
        path = self.root / MANIFESTS / f"{digest.removeprefix('sha256:')}.manifest"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def has(self, repository: str) -> bool:
        """Whether the repository is here."""
        return self._inside(repository) is not None

    def commit(self, repository: str, revision: str) -> str | None:
        """The commit that a branch or commit names; ``None`` if there is none."""
        if not COMMIT.fullmatch(revision):
            branch = self._inside(f"{repository}/{revision}")
            if branch is None or not branch.is_file():
                return None
            revision = branch.read_text(encoding="ascii").strip()
        folder = self._inside(f"{repository}/{revision}")
        return revision if folder is not None and folder.is_dir() else None

    def entries(self, repository: str, commit: str) -> list[Entry]:
        """The files of a revision in path order."""
        folder = self.root / repository / commit
        found = []
        for path in sorted(_files_under(folder)):
            sha256, oid = self._hash(path)
            found.append(
                Entry(path.relative_to(folder).as_posix(), path.stat().st_size, sha256, oid)
            )
        return found

    def entry(self, repository: str, commit: str, path: str) -> Entry | None:
        """One file of a revision."""
        file = self.file(f"{repository}/{commit}/{path}")
        if file is None:
            return None
        return Entry(path, file.stat().st_size, *self._hash(file))

    def file(self, path: str) -> Path | None:
        """A file by its path under the root; ``None`` outside it or if there is none."""
        found = self._inside(path)
        return found if found is not None and found.is_file() else None

    def _inside(self, path: str) -> Path | None:
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            return None
        found = self.root.joinpath(*parts)
        return found if found.exists() else None

    def _hash(self, path: Path) -> tuple[str, str]:
        """The file's sha256, and its git blob id (made up for files that git would not hold)."""
        stat = path.stat()
        key = (path, stat.st_size, stat.st_mtime_ns)
        with self._lock:
            if key not in self._hashes:
                with path.open("rb") as file:
                    sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                blob = path.read_bytes() if stat.st_size <= _LFS_FROM else sha256.encode()
                header = f"blob {len(blob)}\0".encode()
                oid = hashlib.sha1(header + blob, usedforsecurity=False).hexdigest()
                self._hashes[key] = (sha256, oid)
            return self._hashes[key]


def flip_byte(path: Path, offset: int | None = None) -> int:
    """Change one byte of a file in place, its size kept; the offset (default: the middle).

    The file is replaced by a changed copy, so that hard links to it keep the good bytes.
    """
    content = bytearray(path.read_bytes())
    position = len(content) // 2 if offset is None else offset
    if not -len(content) <= position < len(content):
        raise ValueError(f"offset {position} lies outside {path} ({len(content)} bytes)")
    content[position] ^= 0xFF
    changed = path.with_name(path.name + ".flipped")
    changed.write_bytes(content)
    changed.replace(path)
    return position % len(content)


def _files_under(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or links not allowed
        shutil.copyfile(source, target)
