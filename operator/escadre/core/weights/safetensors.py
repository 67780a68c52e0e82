"""The header of a safetensors file: read, and held against the file's size.

A header that passes describes every byte of the file exactly once, so nothing hides behind, between
or over the tensors, and the library of that name loads it (0.8.0, as the tests hold). Stricter than
the library: 25 MB instead of 100 MB, each name once, a tensor at least, and of a tensor nothing but
its three members. Called by the drafting tool. Pure.
"""

import json
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.fieldfaults import shown

__all__ = ["MAX_HEADER", "PREFIX", "Tensor", "header_size", "read_tensors"]

PREFIX: Final = 8
MAX_HEADER: Final = 25_000_000  # as the hub's own tools allow
_BITS: Final = {
    "BOOL": 8,
    "U8": 8,
    "I8": 8,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "I64": 64,
    "U64": 64,
    "F64": 64,
    "C64": 64,
    "F4": 4,
}
_MEMBERS: Final = frozenset({"dtype", "shape", "data_offsets"})
_LARGEST: Final = (1 << 64) - 1  # the library counts elements and bits in 64 bits


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.begin


def header_size(path: str, prefix: bytes, size: int) -> int:
    """Length of the JSON header, from the first eight bytes of a file of ``size`` bytes."""
    if len(prefix) < PREFIX:
        raise IntakeError(f"{path}: {size:,} bytes are too few for a safetensors file")
    length: int = struct.unpack("<Q", prefix[:PREFIX])[0]
    if not len("{}") <= length <= min(MAX_HEADER, size - PREFIX):
        raise IntakeError(
            f"{path}: a header of {length:,} bytes in a file of {size:,} bytes (limit "
            f"{MAX_HEADER:,}): this is no safetensors file"
        )
    return length


def read_tensors(path: str, header: bytes, size: int) -> tuple[Tensor, ...]:
    """The tensors of a file of ``size`` bytes, ordered by place; raises IntakeError.

    Args:
        path: of the file, for messages.
        header: the JSON header, without the eight bytes before it.
        size: of the whole file.
    """
    document = _parsed(path, header)
    _check_metadata(path, document.pop("__metadata__", None))
    if not document:
        raise IntakeError(f"{path}: no tensor")
    tensors = sorted(
        (_tensor(path, name, entry) for name, entry in document.items()),
        key=lambda tensor: (tensor.begin, tensor.end),
    )
    place = 0
    for tensor in tensors:
        if tensor.begin != place:
            raise IntakeError(
                f"{path}: tensor {tensor.name[:80]} overlaps or leaves a gap at {place}"
            )
        place = tensor.end
    if place != size - PREFIX - len(header):
        data = size - PREFIX - len(header)
        cut = "cut short" if place > data else "longer than its header says"
        raise IntakeError(
            f"{path}: the header describes {place:,} bytes of tensors, and {data:,} are there: the "
            f"file is {cut}"
        )
    return tuple(tensors)


def _parsed(path: str, header: bytes) -> dict[str, object]:
    try:
        document = json.loads(
            header.decode(),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_whole,
        )
    except UnicodeDecodeError as error:
        raise IntakeError(f"{path}: header is not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise IntakeError(f"{path}: header is not JSON: {error}") from error
    except RecursionError as error:
        raise IntakeError(f"{path}: header is nested too deeply for tensors") from error
    if not isinstance(document, dict):
        raise IntakeError(f"{path}: header is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the name {name[:80]} stands twice")
    return document


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is no value of JSON")


def _whole(text: str) -> int | float:
    """What the library takes for a whole number; -0 is another one to it."""
    return float(text) if text == "-0" else int(text)


def _check_metadata(path: str, metadata: object) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise IntakeError(f"{path}: __metadata__ is not an object of texts")
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise IntakeError(
                f"{path}: __metadata__: {name[:80]} is {shown(value)}, and only texts may stand "
                "there"
            )
        _check_text(f"{path}: __metadata__", name + value)


def _check_text(where: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise IntakeError(f"{where}: half a character of UTF-16 in {text[:80]!r}") from error


def _tensor(path: str, name: str, entry: object) -> Tensor:
    where = f"{path}: tensor {name[:80]}"
    _check_text(where, name)
    if not isinstance(entry, dict) or entry.keys() != _MEMBERS:
        raise IntakeError(f"{where} is not described by dtype, shape and data_offsets alone")
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise IntakeError(f"{where} has the unknown type {str(dtype)[:20]}")
    shape = _numbers(f"{where}: shape", entry["shape"])
    place = _numbers(f"{where}: data_offsets", entry["data_offsets"])
    if len(place) != len(("begin", "end")):
        raise IntakeError(f"{where}: data_offsets are {len(place)} numbers, not begin and end")
    tensor = Tensor(name, dtype, shape, *place)
    if _bits(where, shape, dtype) != tensor.size * 8:
        raise IntakeError(
            f"{where}, {dtype} {list(shape[:8])}, does not take {tensor.size:,} bytes"
        )
    return tensor


def _numbers(where: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise IntakeError(f"{where} is {shown(value)}, not a list of whole numbers")
    for each in value:
        if type(each) is not int or not 0 <= each <= _LARGEST:
            raise IntakeError(f"{where} holds {shown(each)}, not a whole number of 64 bits")
    return tuple(value)


def _bits(where: str, shape: Sequence[int], dtype: str) -> int:
    """Of all elements; the order of the extents counts, as the library multiplies them."""
    bits = 1
    for factor in (*shape, _BITS[dtype]):
        bits *= factor
        if bits > _LARGEST:
            raise IntakeError(f"{where}: more elements than 64 bits count")
    return bits
