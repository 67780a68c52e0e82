"""Digests of a file in one pass, however its bytes are cut."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from escadre.core.weights.digesting import FileDigester
from escadre.core.weights.manifest import CHUNK_SIZE, ManifestFile


def test_an_empty_file_has_no_chunk() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    assert FileDigester().finish("a") == ManifestFile("a", 0, empty, ())


def test_golden_sizes_of_zeros() -> None:
    digester = FileDigester()
    digester.take(bytes(CHUNK_SIZE - 1))
    digester.take(bytes(2))
    file = digester.finish("over")
    assert file.sha256 == "91990977345985aaf03af1358f4f989d7eaf985b58529efb72f613c588f6599a"
    assert file.chunks == (
        "3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    )


@settings(max_examples=50)
@given(st.binary(max_size=64), st.lists(st.integers(1, 9), min_size=1))
def test_the_cut_does_not_matter(content: bytes, cuts: list[int]) -> None:
    digester = FileDigester(chunk_size=8)
    at = 0
    for step in cuts:
        digester.take(content[at : at + step])
        at += step
    digester.take(content[at:])
    chunks = [content[i : i + 8] for i in range(0, len(content), 8)]
    assert digester.finish("x").chunks == tuple(hashlib.sha256(c).hexdigest() for c in chunks)
