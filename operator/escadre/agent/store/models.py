"""The store's models: ``models/<64 hex of the manifest digest>/``, the folders that pods mount.

A model is a tree of hard links to blobs (real files, no symbolic links), folders 0555, files 0444.
It counts as verified from the moment its record is written, last of all, and as long as every
link is still the blob that was verified. A change withdraws the record: nothing more is said about
the model until it has been verified anew.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from escadre.agent.store.blobs import Blobs, Check
from escadre.agent.store.durable import disk_faults, sync_folder, write_whole
from escadre.agent.store.records import ModelRecord, read_record, write_record
from escadre.core.weights import manifest as manifests
from escadre.core.weights.manifest import Manifest, ManifestError
from escadre.names import digest_hex

__all__ = ["Models"]


class Models:
    """The models of one store.

    Args:
        root: the store.
        store_id: its identity; a record made under another one does not count.
        blobs: its files.
        now: the time as RFC 3339 text, for records.
    """

    def __init__(self, root: Path, store_id: str, blobs: Blobs, now: Callable[[], str]) -> None:
        self._root = root
        self._store_id = store_id
        self._blobs = blobs
        self._now = now
        self._folder = root / "models"
        self._records = root / "records" / "models"
        self._manifests = root / "manifests"
        # A new link changes the ctime of blobs that other models share; until their records are
        # written again, a look must wait or it would hash them for that.
        self._linking = threading.Lock()

    def path(self, digest: str) -> Path:
        """The folder of the model, there or not."""
        return self._folder / digest_hex(digest)

    def verified(self, check: Check = lambda: None) -> dict[str, ModelRecord]:
        """The models that are verified and unchanged, by manifest digest; withdraws the others.

        Looks at names, sizes, inodes and ctimes: cheap enough to be asked often. Only a file with
        another number of links than before is hashed, which ``check`` can call off. What an
        interrupted ``publish`` left is cleared away.
        """
        found: dict[str, ModelRecord] = {}
        with disk_faults("listing models", self._root), self._linking:
            for path in sorted(self._records.glob("*.json")):
                digest = f"sha256:{path.stem}"
                record = read_record(path, ModelRecord)
                manifest = self.manifest(digest)
                if record and manifest and self._stands(record, digest, manifest, check):
                    found[digest] = record
                else:
                    path.unlink()
                    sync_folder(self._records)
            with suppress(OSError):  # a full disk takes no record: at another look
                for draft in self._folder.glob(".*"):
                    self._blobs.names.remove_tree(draft)
        return found

    def manifest(self, digest: str) -> Manifest | None:
        """The manifest kept for a model, when it is there and has the digest."""
        try:
            text = (self._manifests / f"{digest_hex(digest)}.manifest").read_bytes()
            return manifests.parse(text) if manifests.digest(text) == digest else None
        except (OSError, ManifestError):
            return None

    def keep_manifest(self, digest: str, text: bytes) -> None:
        """Keep a manifest, so that a start needs no mirror to know the files of a model."""
        with disk_faults(f"keeping manifest {digest}", self._root):
            write_whole(self._manifests / f"{digest_hex(digest)}.manifest", text)

    def publish(self, digest: str, manifest: Manifest) -> ModelRecord:
        """Make the folder of a model whose blobs are all there and good, and record it, last."""
        record = ModelRecord(self._store_id, manifest.total_bytes, self._now())
        with disk_faults(f"publishing {digest}", self._root), self._linking:
            if not self._linked(digest, manifest):
                self._link(digest, manifest)
            write_record(self._records / f"{digest_hex(digest)}.json", record)
        return record

    def _stands(self, record: ModelRecord, digest: str, manifest: Manifest, check: Check) -> bool:
        return (
            record.store_id == self._store_id
            and all(self._blobs.stands(file, check) for file in manifest.files)
            and self._linked(digest, manifest)
        )

    def _linked(self, digest: str, manifest: Manifest) -> bool:
        """Whether the folder holds exactly the manifest's files, each the blob itself."""
        root = self.path(digest)
        found = {
            Path(folder, name).relative_to(root).as_posix()
            for folder, folders, names in os.walk(root)
            for name in (*names, *(each for each in folders if Path(folder, each).is_symlink()))
        }
        if found != {file.path for file in manifest.files} or root.is_symlink():
            return False
        return all(
            os.path.samestat((root / file.path).lstat(), self._blobs.path(file.sha256).lstat())
            for file in manifest.files
        )

    def _link(self, digest: str, manifest: Manifest) -> None:
        draft = self._folder / f".{digest_hex(digest)}.new"
        self._blobs.names.remove_tree(draft)
        draft.mkdir()
        folders = {draft}
        for file in manifest.files:
            target = draft / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.update(draft / part for part in Path(file.path).parents)
            self._blobs.link(file, target)
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            sync_folder(folder)
            folder.chmod(0o555)
        self._blobs.names.remove_tree(self.path(digest))
        draft.rename(self.path(digest))
        sync_folder(self._folder)
