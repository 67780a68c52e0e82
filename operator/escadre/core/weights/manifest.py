"""The manifest of a model: every file with its size and digests, in one canonical text.

The sha256 of the text is the identity of the weights (``manifestDigest``), so the format is fixed
for ever; golden vectors in tests/core/data pin it. UTF-8, each line ended by one LF::

    escadre-manifest/v1
    file <size> <sha256> 67108864 <path>     one per file, in byte order of the paths
    chunk <sha256>                           one per 64 MiB of that file, the last may be shorter

Drafting renders it, the agent parses it. ``parse`` accepts exactly what ``render`` writes, and
refuses facts that contradict each other. Pure.
"""

import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from escadre.core.decimals import bytes_text
from escadre.errors import EscadreError

__all__ = [
    "CHUNK_SIZE",
    "HEADER",
    "MAX_FILES",
    "MAX_FILE_SIZE",
    "MAX_MANIFEST_BYTES",
    "MAX_PATH_BYTES",
    "Chunk",
    "Manifest",
    "ManifestError",
    "ManifestFile",
    "check_path",
    "chunk_at",
    "chunk_count",
    "chunks_of",
    "digest",
    "parse",
    "render",
]

HEADER: Final = "escadre-manifest/v1"
CHUNK_SIZE: Final = 64 * 1024 * 1024
MAX_FILES: Final = 2000  # as many as a ModelApproval lists
MAX_FILE_SIZE: Final = 1 << 50
MAX_PATH_BYTES: Final = 512
MAX_SEGMENT_BYTES: Final = 255  # NAME_MAX of the file systems a store lives on
MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024  # about 30 TB of weights

_EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE: Final = re.compile(r"file (0|[1-9][0-9]*) ([0-9a-f]{64}) ([0-9]+) (.*)", re.DOTALL)
_CHUNK: Final = re.compile(r"chunk ([0-9a-f]{64})")
# Control, format, surrogate, line and paragraph separators: what a reviewer would not see.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class ManifestError(EscadreError):
    """The text or the files do not make a canonical manifest."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of bytes of one file, at most 64 MiB, that is fetched and verified as a whole."""

    index: int
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file: the digest of the whole and of each of its chunks, bare lower-case hex."""

    path: str
    size: int
    sha256: str
    chunks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of one model, in byte order of their paths."""

    files: tuple[ManifestFile, ...]

    @property
    def total_bytes(self) -> int:
        """Sum of the file sizes."""
        return sum(file.size for file in self.files)

    @property
    def folders(self) -> frozenset[str]:
        """The folders of its tree, the root one of them."""
        return frozenset(
            folder.as_posix() for file in self.files for folder in PurePosixPath(file.path).parents
        )


def chunk_count(size: int) -> int:
    """How many chunks a file of ``size`` bytes has; an empty one has none."""
    return -(-size // CHUNK_SIZE)


def chunks_of(file: ManifestFile) -> Iterator[Chunk]:
    """The chunks of ``file`` in order."""
    return (chunk_at(file, index) for index in range(len(file.chunks)))


def chunk_at(file: ManifestFile, index: int) -> Chunk:
    """One chunk of ``file``."""
    offset = index * CHUNK_SIZE
    return Chunk(index, offset, min(CHUNK_SIZE, file.size - offset), file.chunks[index])


def digest(text: bytes) -> str:
    """Identity of the weights: ``sha256:…`` of the manifest's text."""
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def render(manifest: Manifest) -> bytes:
    """Write the canonical text; raises ManifestError when the files make none."""
    _check_files(manifest.files)
    lines = [HEADER]
    for file in manifest.files:
        lines.append(f"file {file.size} {file.sha256} {CHUNK_SIZE} {file.path}")
        lines.extend(f"chunk {sha256}" for sha256 in file.chunks)
    return ("\n".join(lines) + "\n").encode()


def parse(text: bytes) -> Manifest:
    """Read a manifest; raises ManifestError naming the line when it is not canonical."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise ManifestError(
            f"manifest of {bytes_text(len(text))} exceeds {bytes_text(MAX_MANIFEST_BYTES)}"
        )
    try:
        lines = text.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise ManifestError(f"manifest is not UTF-8: byte {error.start}") from error
    if lines[0] != HEADER:
        raise ManifestError(f"line 1 is not {HEADER!r}, it begins {lines[0][:40]!r}")
    if lines[-1] != "":
        raise ManifestError("the last line is not ended by a line feed")
    manifest = Manifest(tuple(_parse_files(lines[1:-1])))
    _check_files(manifest.files)
    return manifest


def check_path(path: str) -> None:
    """Refuse a path that is not a plain, visible, relative NFC path below the model's folder."""
    shown = repr(path[:80])
    if not path:
        raise ManifestError("path is empty")
    if any(unicodedata.category(character) in _UNSEEN for character in path):
        raise ManifestError(f"path {shown} holds a control or invisible character")
    if unicodedata.normalize("NFC", path) != path:
        raise ManifestError(f"path {shown} is not in Unicode normal form C")
    if "\\" in path:
        raise ManifestError(f"path {shown} holds a backslash")
    if len(path.encode()) > MAX_PATH_BYTES:
        raise ManifestError(f"path {shown}… is longer than {MAX_PATH_BYTES} bytes")
    for segment in path.split("/"):
        if segment in {"", ".", ".."}:
            raise ManifestError(f"path {shown} is not relative and plain: segment {segment!r}")
        if len(segment.encode()) > MAX_SEGMENT_BYTES:
            raise ManifestError(f"path {shown}… has a segment over {MAX_SEGMENT_BYTES} bytes")


def _parse_files(lines: list[str]) -> Iterator[ManifestFile]:
    head: re.Match[str] | None = None
    chunks: list[str] = []
    for number, line in enumerate(lines, start=2):
        if chunk := _CHUNK.fullmatch(line):
            if head is None:
                raise ManifestError(f"line {number}: a chunk before any file")
            chunks.append(chunk[1])
        elif following := _FILE.fullmatch(line):
            if following[3] != str(CHUNK_SIZE):
                raise ManifestError(
                    f"line {number}: chunk size {following[3][:20]}, not {CHUNK_SIZE}"
                )
            if head:
                yield _parsed(head, chunks)
            head, chunks = following, []
        else:
            raise ManifestError(f"line {number} is neither file nor chunk: {line[:80]!r}")
    if head:
        yield _parsed(head, chunks)


def _parsed(head: re.Match[str], chunks: list[str]) -> ManifestFile:
    if len(head[1]) > len(str(MAX_FILE_SIZE)):
        raise ManifestError(f"file {head[4][:80]!r}: size of {len(head[1])} digits")
    return ManifestFile(path=head[4], size=int(head[1]), sha256=head[2], chunks=tuple(chunks))


def _check_files(files: tuple[ManifestFile, ...]) -> None:
    if not 1 <= len(files) <= MAX_FILES:
        raise ManifestError(f"a manifest lists 1 to {MAX_FILES} files, not {len(files)}")
    for file in files:
        _check_file(file)
    for before, after in itertools.pairwise(files):
        if before.path.encode() >= after.path.encode():
            raise ManifestError(f"paths {before.path!r}, {after.path!r} are not in byte order")
    _check_tree({file.path for file in files})
    _check_equal_digests(files)


def _check_file(file: ManifestFile) -> None:
    check_path(file.path)
    if not 0 <= file.size <= MAX_FILE_SIZE:
        raise ManifestError(f"file {file.path!r}: size {file.size} is not in 0..{MAX_FILE_SIZE}")
    if len(file.chunks) != chunk_count(file.size):
        raise ManifestError(
            f"file {file.path!r}: {len(file.chunks)} chunks, "
            f"but {file.size} bytes make {chunk_count(file.size)}"
        )
    for sha256 in (file.sha256, *file.chunks):
        if not _SHA256.fullmatch(sha256):
            raise ManifestError(f"file {file.path!r}: {sha256[:80]!r} is not 64 lower-case hex")
    whole = file.chunks[0] if len(file.chunks) == 1 else file.sha256
    if whole != file.sha256 or (not file.size and file.sha256 != _EMPTY_SHA256):
        raise ManifestError(f"file {file.path!r}: digest of the file and of its bytes differ")


def _check_tree(paths: set[str]) -> None:
    for path in paths:
        segments = path.split("/")
        for depth in range(1, len(segments)):
            if (folder := "/".join(segments[:depth])) in paths:
                raise ManifestError(f"{folder!r} is both a file and a folder")


def _check_equal_digests(files: tuple[ManifestFile, ...]) -> None:
    seen: dict[str, ManifestFile] = {}
    for file in files:
        twin = seen.setdefault(file.sha256, file)
        if (twin.size, twin.chunks) != (file.size, file.chunks):
            raise ManifestError(
                f"files {twin.path!r} and {file.path!r} share a digest but not size and chunks"
            )
