"""Digests of a file, whole and by chunk, from its bytes in one pass. Used by the drafting tool."""

import hashlib

from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile

__all__ = ["FileDigester"]


class FileDigester:
    """Takes a file's bytes in order; ``finish`` gives its entry of the manifest.

    Args:
        chunk_size: of the format; another one is for tests only.
    """

    def __init__(self, chunk_size: int = CHUNK_SIZE) -> None:
        self._chunk_size = chunk_size
        self._whole = hashlib.sha256()
        self._chunk = hashlib.sha256()
        self._chunks: list[str] = []
        self._size = 0

    def take(self, piece: bytes | memoryview) -> None:
        """The next bytes."""
        view = memoryview(piece)
        while view:
            part = view[: self._chunk_size - self._size % self._chunk_size]
            self._whole.update(part)
            self._chunk.update(part)
            self._size += len(part)
            view = view[len(part) :]
            if self._size % self._chunk_size == 0:
                self._end_chunk()

    def finish(self, path: str) -> ManifestFile:
        """The entry for these bytes under ``path``."""
        if self._size % self._chunk_size:
            self._end_chunk()
        return ManifestFile(path, self._size, self._whole.hexdigest(), tuple(self._chunks))

    def _end_chunk(self) -> None:
        self._chunks.append(self._chunk.hexdigest())
        self._chunk = hashlib.sha256()
