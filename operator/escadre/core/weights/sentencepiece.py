"""A sentencepiece model held against the version that its name says.

mistral-common writes a chat with the control pieces of that version, and where the model has no
such piece it writes <unk>, without a warning (findings/mistral-markers-unknown.sh): the digest is
right and every answer is worse. Read here is only the list of pieces, from the protobuf that the
file is (google/sentencepiece:src/sentencepiece_model.proto: pieces = 1 {piece = 1, score = 2,
type = 3}). Pure.
"""

from collections.abc import Iterator
from typing import Final

from escadre.core.listing import listed
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.tokenizernames import VERSIONS

__all__ = ["LARGEST_MODEL", "check_sentencepiece", "pieces_of"]

LARGEST_MODEL: Final = 64 * 1024 * 1024  # bytes; published ones have half a megabyte
_CHAT: Final = ("[INST]", "[/INST]")
_TOOLS: Final = (
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
_SYSTEM: Final = ("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]")
_CALLS: Final = ("[ARGS]", "[CALL_ID]")
_SINCE: Final = {"v2": (*_CHAT, *_TOOLS), "v7": _SYSTEM, "v11": _CALLS}  # control pieces
_NAMED: Final = 3
_MOST_SHIFT: Final = 63  # bits of a number in protobuf
_STEP: Final = "take the file and its name from the same revision of the model's repository"


def check_sentencepiece(path: str, content: bytes, version: str) -> None:
    """Raises IntakeError where the file is no such model, or one of another version.

    Args:
        path: of the file, for messages.
        content: the whole file.
        version: as its name says, "" where the name does not count.
    """
    pieces = frozenset(pieces_of(path, content))
    if not pieces:
        raise IntakeError(f"{path}: {len(content):,} bytes without a piece of text", _STEP)
    if not version:
        return
    if version == "v1" and _CHAT[0] in pieces:
        raise IntakeError(
            f"{path} holds the control piece {_CHAT[0]}, which versions from v2 on have, and its "
            "name makes it v1: every chat would become other tokens",
            _STEP,
        )
    wanted = [
        piece
        for since, added in _SINCE.items()
        if VERSIONS.index(version) >= VERSIONS.index(since)
        for piece in added
    ]
    if lacking := [piece for piece in wanted if piece not in pieces]:
        raise IntakeError(
            f"{path} lacks {listed(lacking, _NAMED)}, with which {version} writes a chat: "
            "mistral-common would write <unk> instead",
            _STEP,
        )


def pieces_of(path: str, content: bytes) -> Iterator[str]:
    """The texts of the pieces, in their order; raises IntakeError."""
    try:
        for number, value in _fields(content):
            if number == 1:
                yield from (text.decode() for field, text in _fields(value) if field == 1)
    except (IndexError, UnicodeDecodeError, ValueError) as error:
        raise IntakeError(f"{path} is no sentencepiece model ({len(content):,} bytes)") from error


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field of a protobuf message; those of a fixed size are empty."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        size = 0
        if kind == 0:
            _, place = _varint(message, place)
        elif kind in _FIXED:
            place += _FIXED[kind]
        elif kind == _BYTES:
            size, place = _varint(message, place)
        else:
            raise ValueError(f"wire type {kind}")
        if number == 0 or place + size > len(message):
            raise ValueError("a field ends behind the message")
        if kind == _BYTES:
            yield number, message[place : place + size]
            place += size


_FIXED: Final = {1: 8, 5: 4}  # bytes by wire type
_BYTES: Final = 2


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follow
            return value, place
        shift += 7
        if shift > _MOST_SHIFT:
            raise ValueError("a number without end")
