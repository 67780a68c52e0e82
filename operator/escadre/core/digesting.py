"""Digests of a file, whole and by chunk, from its bytes in one pass. Used by the drafting tool."""

import hashlib

from escadre.core.manifest import CHUNK_SIZE, ManifestFile

__all__ = ["FileDigester"]


class FileDigester:
    """Takes a file's bytes in order; ``finish`` gives its entry of the manifest."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._chunk = hashlib.sha256()
        self._chunks: list[str] = []
        self._size = 0

    def take(self, piece: bytes) -> None:
        """The next bytes."""
        view = memoryview(piece)
        while view:
            part = view[: CHUNK_SIZE - self._size % CHUNK_SIZE]
            self._whole.update(part)
            self._chunk.update(part)
            self._size += len(part)
            view = view[len(part) :]
            if self._size % CHUNK_SIZE == 0:
                self._end_chunk()

    def finish(self, path: str) -> ManifestFile:
        """The entry for these bytes under ``path``."""
        if self._size % CHUNK_SIZE:
            self._end_chunk()
        return ManifestFile(path, self._size, self._whole.hexdigest(), tuple(self._chunks))

    def _end_chunk(self) -> None:
        self._chunks.append(self._chunk.hexdigest())
        self._chunk = hashlib.sha256()
