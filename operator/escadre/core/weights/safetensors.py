"""The header of a safetensors file: read, and held against the file's size.

A header that passes describes every byte of the file exactly once, so nothing hides behind, between
or over the tensors. Called by the drafting tool. Pure.
"""

import json
import struct
from dataclasses import dataclass
from math import prod
from typing import Final

from escadre.core.weights.intake import IntakeError

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
    "F4": 4,
}


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
        raise IntakeError(f"{path}: {size} bytes are too few for a safetensors file")
    length: int = struct.unpack("<Q", prefix[:PREFIX])[0]
    if not len("{}") <= length <= min(MAX_HEADER, size - PREFIX):
        raise IntakeError(
            f"{path}: a header of {length} bytes in a file of {size} bytes (limit {MAX_HEADER}): "
            "this is no safetensors file"
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
    document.pop("__metadata__", None)
    if not document:
        raise IntakeError(f"{path}: no tensor")
    tensors = sorted(
        (_tensor(path, name, entry) for name, entry in document.items()),
        key=lambda tensor: (tensor.begin, tensor.end),
    )
    place = 0
    for tensor in tensors:
        if tensor.begin != place:
            raise IntakeError(f"{path}: tensor {tensor.name} overlaps or leaves a gap at {place}")
        place = tensor.end
    if place != size - PREFIX - len(header):
        data = size - PREFIX - len(header)
        raise IntakeError(f"{path}: tensors end at byte {place} of {data} data bytes")
    return tuple(tensors)


def _parsed(path: str, header: bytes) -> dict[str, object]:
    try:
        document = json.loads(header, object_pairs_hook=_unique)
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
        raise ValueError("a name stands twice")
    return document


def _tensor(path: str, name: str, entry: object) -> Tensor:
    match entry:
        case {
            "dtype": str(dtype),
            "shape": [*shape],
            "data_offsets": [int(begin), int(end)],
        } if all(type(extent) is int and extent >= 0 for extent in shape):
            tensor = Tensor(name, dtype, tuple(shape), begin, end)
        case _:
            raise IntakeError(f"{path}: tensor {name[:80]} is not described as safetensors asks")
    if dtype not in _BITS:
        raise IntakeError(f"{path}: tensor {name[:80]} has the unknown type {dtype[:20]}")
    if begin < 0 or prod(shape) * _BITS[dtype] != tensor.size * 8:
        raise IntakeError(
            f"{path}: tensor {name[:80]}, {dtype} {list(shape)}, does not take {tensor.size} bytes"
        )
    return tensor
