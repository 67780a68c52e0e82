"""Model folders with one thing wrong, each from the tiny checkpoint. For test_conformance.py."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from e2e.engine.checkpoint import Shape, write_checkpoint

__all__ = ["BROKEN"]

_WEIGHTS: Final = "consolidated.safetensors"


def _without(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()

    return spoil


def _cut(folder: Path) -> None:
    file = folder / _WEIGHTS
    file.write_bytes(file.read_bytes()[:-1])


def _half(folder: Path) -> None:
    """Only the first of two shards is there."""
    file = folder / _WEIGHTS
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header: dict[str, Any] = json.loads(content[8 : 8 + length])
    names = [name for name in header if name != "__metadata__"]
    kept = {name: header[name] for name in names[: len(names) // 2]}
    end = max(one["data_offsets"][1] for one in kept.values())
    text = json.dumps(kept).encode()
    first = folder / "consolidated-00001-of-00002.safetensors"
    first.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :][:end])
    file.unlink()


def _params(**changed: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "params.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changed))

    return spoil


def _smaller_vocabulary(folder: Path) -> None:
    """The weights of a smaller vocabulary than the tokenizer's."""
    tokenizer = (folder / "tekken.json").read_text()
    write_checkpoint(folder, shape=Shape(vocab_size=4096))
    (folder / "tekken.json").write_text(tokenizer)


BROKEN: Final[dict[str, Callable[[Path], None]]] = {
    "nothing": lambda _: None,
    "params": _without("params.json"),
    "tokenizer": _without("tekken.json"),
    "weights": _without(_WEIGHTS),
    "cut-weights": _cut,
    "shard": _half,
    "vocabulary": _params(vocab_size=4096),
    "tokenizer-of-another-model": _smaller_vocabulary,
    "long-context": _params(max_position_embeddings=1 << 20),
}
