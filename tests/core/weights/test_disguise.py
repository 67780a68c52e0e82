"""Files that are of another kind than their name says."""

import pytest

from escadre.core.weights.disguise import check_disguise
from escadre.core.weights.findings import IntakeError

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 493443\n"
)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        pytest.param(POINTER, "a git-lfs pointer of 131 bytes", id="git-lfs"),
        pytest.param(
            b"version http://git-media.io/v/2\noid sha256:aa", "a git-lfs pointer", id="its past"
        ),
        pytest.param(b"# xet version 0\nfilesize = 3\n", "a Xet pointer", id="Xet"),
        pytest.param(b"\r\n<!DOCTYPE HTML><html>", "an HTML page", id="a page"),
        pytest.param(b"<html lang=de>", "an HTML page", id="a page without a type"),
        pytest.param(b"<?xml version='1.0'?><Error>", "an XML document", id="a store's error"),
        pytest.param(b"PK\x03\x04", "a zip archive, as torch.save writes", id="torch"),
        pytest.param(b"\x80\x02}q\x00", "a Python pickle", id="pickle"),
        pytest.param(b"GGUF\x03\0\0\0", "a GGUF file", id="GGUF"),
        pytest.param(b"\x1f\x8b\x08\0", "gzip-compressed", id="gzip"),
        pytest.param(b"\x28\xb5\x2f\xfd", "zstd-compressed", id="zstd"),
    ],
)
def test_what_a_file_is_instead_is_named_with_a_next_step(start: bytes, says: str) -> None:
    with pytest.raises(IntakeError, match=rf"(?s)^tokenizer\.model: .*{says}.*\nnext: "):
        check_disguise("tokenizer.model", start, len(start))


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b'{"version": "https://git-lfs"}', id="JSON"),
        pytest.param(b"\x0a\x0e\x0a\x05<unk>", id="sentencepiece"),
        pytest.param(b"\x80\x02\0\0\0\0\0\0{", id="a header of 640 bytes"),
        pytest.param(b"version 1\n", id="a text"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_begins_as_it_should_passes(start: bytes) -> None:
    check_disguise("x", start, 1000)
