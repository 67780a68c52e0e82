"""Reads the headers of a model's weights, and refuses them where vLLM does, in its words.

Called by ``modelfolder``. A tensor that only makes a layer wrong is none of its business: vLLM
serves such a model, and says nothing.
"""

import json
import struct
from pathlib import Path
from typing import Any, Final

from e2e.engine.standin.failing import WorkerError

__all__ = ["read_weights"]

_DTYPE_BYTES: Final = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1, "I32": 4, "I64": 8}
_MAX_HEADER: Final = 100_000_000
_EMBEDDINGS: Final = "tok_embeddings.weight"


def read_weights(folder: Path, layers: int, vocab_size: int) -> int:
    """Bytes of all tensors; ``WorkerError`` where a worker of the engine core would fail."""
    found = sorted(folder.glob("consolidated*.safetensors"))
    if not found:
        raise WorkerError(f"Cannot find any model weights with `{folder}`", "RuntimeError")
    tensors: dict[str, dict[str, Any]] = {}
    for file in found:
        tensors |= _header(file)
    if tensors.get(_EMBEDDINGS, {"shape": [vocab_size]})["shape"][0] != vocab_size:
        source = "assert loaded_weight.shape[output_dim] == self.org_vocab_size"
        raise WorkerError("", "AssertionError", source)
    missing = {engine for name, engine in _norms(layers) if name not in tensors}
    if missing:
        raise WorkerError(f"Following weights were not initialized from checkpoint: {missing}")
    return sum(end - begin for begin, end in (one["data_offsets"] for one in tensors.values()))


def _norms(layers: int) -> list[tuple[str, str]]:
    """The weights whose absence vLLM notices, under their two names."""
    found = [("norm.weight", "model.norm.weight")]
    for number in range(layers):
        layer = f"model.layers.{number}"
        found += [
            (f"layers.{number}.attention_norm.weight", f"{layer}.input_layernorm.weight"),
            (f"layers.{number}.ffn_norm.weight", f"{layer}.post_attention_layernorm.weight"),
        ]
    return found


def _header(file: Path) -> dict[str, dict[str, Any]]:
    """The tensors of one file, which they must cover exactly."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MAX_HEADER + 1
        if length > min(_MAX_HEADER, size - 8):
            raise _unreadable("invalid header length")
        try:
            header: dict[str, dict[str, Any]] = json.loads(stream.read(length))
        except ValueError as error:
            raise _unreadable(f"invalid JSON in header: {error}") from error
    header.pop("__metadata__", None)
    if 8 + length + max((_end(one) for one in header.values()), default=0) != size:
        raise _unreadable("incomplete metadata, file not fully covered")
    return header


def _end(tensor: dict[str, Any]) -> int:
    begin, end = tensor["data_offsets"]
    expected = _DTYPE_BYTES.get(tensor["dtype"], 1)
    for dimension in tensor["shape"]:
        expected *= dimension
    if end - begin != expected:
        raise _unreadable("invalid shape, data type, or offset for tensor")
    return int(end)


def _unreadable(why: str) -> WorkerError:
    """It names no file."""
    kind = "safetensors._safetensors_rust.SafetensorError"
    return WorkerError(f"Error while deserializing header: {why}", kind)
