"""The manifest's format: golden vectors, round trip, and each refusal."""

import hashlib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.weights import manifest
from escadre.core.weights.manifest import CHUNK_SIZE, Manifest, ManifestError, ManifestFile

DATA = Path(__file__).parent / "data"
# Made with coreutils; the identity of weights in use depends on them: never change one.
GOLDEN = {
    "zeros": "sha256:b30c28287c4b64be8b8370399a4a32978c1aba9f650ac44d2cc7b5d28b4bf818",
    "paths": "sha256:82eb22b3a39dc6d21bc06af44e29dc3646d369d0d7e4e8d2c6b215f3db12c036",
}
A, B = "a" * 64, "b" * 64
EMPTY = hashlib.sha256(b"").hexdigest()


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in ("escadre-manifest/v1", *lines)).encode()


def one(path: str, size: int = 3) -> ManifestFile:
    return ManifestFile(path, size, A, (A,))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_vectors_read_and_write_alike(name: str) -> None:
    stored = (DATA / f"{name}.manifest").read_bytes()
    assert manifest.render(manifest.parse(stored)) == stored
    assert manifest.digest(stored) == GOLDEN[name]


def test_zeros_vector_has_the_sizes_around_the_chunk_boundary() -> None:
    files = {
        file.path: file for file in manifest.parse((DATA / "zeros.manifest").read_bytes()).files
    }
    assert files["empty"].chunks == ()
    over = list(manifest.chunks_of(files["size/over"]))
    assert [(chunk.offset, chunk.size) for chunk in over] == [(0, CHUNK_SIZE), (CHUNK_SIZE, 1)]
    assert [chunk.size for chunk in manifest.chunks_of(files["size/two"])] == [CHUNK_SIZE] * 2


def test_paths_are_ordered_by_their_bytes() -> None:
    paths = [file.path for file in manifest.parse((DATA / "paths.manifest").read_bytes()).files]
    assert paths == ["B", "a", "a b", "a-b", "a.b/c", "b/c", "é", "ﬀ", "𝄞"]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        pytest.param(b"", "line 1", id="empty text"),
        pytest.param(b"escadre-manifest/v2\n", "line 1", id="other version"),
        pytest.param(text(), "1 to 2000 files", id="no file"),
        pytest.param(
            text(f"file 3 {A} 67108864 a", f"chunk {A}")[:-1], "line feed", id="no last LF"
        ),
        pytest.param(
            text(f"file 3 {A} 67108864 a", f"chunk {A}") + b"\n", "line 4", id="blank line"
        ),
        pytest.param(text(f"file 3 {A} 67108864 a", f"chunk {A}\r"), "line 3", id="CRLF"),
        pytest.param(text(f"file 03 {A} 67108864 a", f"chunk {A}"), "line 2", id="leading zero"),
        pytest.param(text(f"file -3 {A} 67108864 a", f"chunk {A}"), "line 2", id="negative size"),
        pytest.param(
            text(f"file 3 {A.upper()} 67108864 a", f"chunk {A}"), "line 2", id="upper hex"
        ),
        pytest.param(text(f"file 3 {A} 1024 a", f"chunk {A}"), "chunk size 1024", id="chunk size"),
        pytest.param(text(f"file  3 {A} 67108864 a", f"chunk {A}"), "line 2", id="two blanks"),
        pytest.param(text(f"chunk {A}"), "before any file", id="chunk first"),
        pytest.param(text(f"file 3 {A} 67108864 a"), "0 chunks", id="chunk missing"),
        pytest.param(
            text(f"file 3 {A} 67108864 a", *[f"chunk {A}"] * 2), "2 chunks", id="too many"
        ),
        pytest.param(
            text(f"file 3 {A} 67108864 a", f"chunk {B}"), "differ", id="one chunk differs"
        ),
        pytest.param(text(f"file 0 {A} 67108864 a"), "differ", id="empty file with a digest"),
        pytest.param(text(f"file {'9' * 5000} {A} 67108864 a"), "5000 digits", id="endless size"),
        pytest.param(text(f"file {1 << 51} {A} 67108864 a"), "not in 0..", id="size over bound"),
        pytest.param(
            text(f"file 3 {A} 67108864 b", f"chunk {A}", f"file 3 {A} 67108864 a", f"chunk {A}"),
            "byte order",
            id="unordered",
        ),
        pytest.param(
            text(*[f"file 3 {A} 67108864 a", f"chunk {A}"] * 2), "byte order", id="duplicate"
        ),
        pytest.param(
            text(f"file 3 {A} 67108864 a", f"chunk {A}", f"file 3 {A} 67108864 a/b", f"chunk {A}"),
            "both a file and a folder",
            id="file and folder",
        ),
        pytest.param(
            text(f"file 3 {A} 67108864 a", f"chunk {A}", f"file 4 {A} 67108864 b", f"chunk {A}"),
            "share a digest",
            id="one digest, two sizes",
        ),
        pytest.param(b"escadre-manifest/v1\n\xff\n", "UTF-8", id="not UTF-8"),
        pytest.param(b" " * (manifest.MAX_MANIFEST_BYTES + 1), "exceeds", id="too long"),
    ],
)
def test_what_is_not_canonical_is_refused_with_its_place(broken: bytes, says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        manifest.parse(broken)


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("", id="empty"),
        pytest.param("/etc/passwd", id="absolute"),
        pytest.param("a//b", id="empty segment"),
        pytest.param("a/", id="trailing slash"),
        pytest.param("../a", id="parent first"),
        pytest.param("a/../b", id="parent inside"),
        pytest.param("./a", id="dot"),
        pytest.param("a\\b", id="backslash"),
        pytest.param("a\nchunk " + A, id="line feed"),
        pytest.param("a\x00b", id="NUL"),
        pytest.param("a\x7f", id="DEL"),
        pytest.param("a\u202eb", id="right-to-left override"),
        pytest.param("a\u2028b", id="line separator"),
        pytest.param("e\u0301", id="not NFC"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param("a" * 256, id="segment too long"),
        pytest.param("/".join(["abc"] * 200), id="path too long"),
    ],
)
def test_paths_that_could_leave_or_mislead_are_refused(path: str) -> None:
    with pytest.raises(ManifestError):
        manifest.render(Manifest((one(path),)))


def _usable(path: str) -> bool:
    try:
        manifest.check_path(path)
    except ManifestError:
        return False
    return True


_PATHS = st.text(min_size=1, max_size=20).map(lambda s: unicodedata.normalize("NFC", s))


@st.composite
def _files(draw: st.DrawFn) -> tuple[ManifestFile, ...]:
    names = draw(st.sets(_PATHS.filter(lambda p: "/" not in p and _usable(p)), min_size=1))
    sizes = st.sampled_from([0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE])
    files = []
    for number, name in enumerate(sorted(names, key=str.encode)):
        size = draw(sizes)
        count = manifest.chunk_count(size)
        whole = hashlib.sha256(b"%d" % number).hexdigest() if size else EMPTY
        chunks = (
            (whole,)
            if count == 1
            else tuple(f"{draw(st.integers(0, 9)):064x}" for _ in range(count))
        )
        files.append(ManifestFile(name, size, whole, chunks))
    return tuple(files)


@given(_files())
def test_what_is_rendered_is_parsed_back(files: tuple[ManifestFile, ...]) -> None:
    assert manifest.parse(manifest.render(Manifest(files))) == Manifest(files)


_GOLDEN_TEXT = (DATA / "zeros.manifest").read_bytes()


@given(st.integers(0, len(_GOLDEN_TEXT) - 1), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_is_another_canonical_text(at: int, value: int) -> None:
    changed = _GOLDEN_TEXT[:at] + bytes([value]) + _GOLDEN_TEXT[at + 1 :]
    try:
        parsed = manifest.parse(changed)
    except ManifestError:
        return
    assert manifest.render(parsed) == changed
