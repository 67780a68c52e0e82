"""Text of files that people give, in UTF-8; of another file is said what it is, and what to do."""

import sys
from pathlib import Path
from typing import Final

__all__ = ["decoded", "read_text", "undecoded"]

_PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_text(name: str) -> str:
    """A file's text, ``-`` is standard input; raises OSError and UnicodeDecodeError."""
    return decoded(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())


def decoded(content: bytes) -> str:
    """The text without a byte order mark; raises UnicodeDecodeError.

    Also for a NUL, which no text has but UTF-16.
    """
    if (nul := content.find(b"\0")) >= 0:
        raise UnicodeDecodeError("utf-8", content, nul, nul + 1, "a NUL")
    return content.decode("utf-8").removeprefix("\ufeff")


def undecoded(error: UnicodeDecodeError) -> str:
    """What such a file is, and what to do: ``is packed with gzip; unpack it first``."""
    content = error.object
    for begin, name in _PACKED.items():
        if content.startswith(begin):
            return f"is packed with {name}; unpack it first"
    if content.startswith(_UTF_16) or b"\0" in content[:2]:
        return "is text in UTF-16, as PowerShell's > writes it; save it as UTF-8"
    return "is not text in UTF-8"
