"""Writes a tiny real Mistral checkpoint: the three files that vLLM serves with Mistral's formats.

Called by tests, by the demo, and as ``python -m e2e.engine.checkpoint --out DIR``. The bytes are a
function of seed and shape alone; weights are noise, so answers are noise too. The tokenizer is
mistral-common's own tekken.json, cut to the first entries of its vocabulary (every token merges
two of lower rank, so a prefix is a whole tokenizer). It must not touch anything but its folder.
"""

import argparse
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["FILES", "Shape", "main", "padded", "tensors", "write_checkpoint"]

FILES: Final = ("consolidated.safetensors", "params.json", "tekken.json")

_TEKKEN: Final = "tekken_240911.json"
_SPECIAL_TOKENS: Final = 1000
_SCALE: Final = 0.05
_BYTES_PER_WEIGHT: Final = 2
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model; the defaults allow tensor parallel sizes 1, 2, 4 and 8."""

    dim: int = 256
    n_layers: int = 2
    head_dim: int = 32  # vLLM's CPU attention refuses 16
    hidden_dim: int = 512
    n_heads: int = 8
    n_kv_heads: int = 8
    vocab_size: int = 8192
    max_position_embeddings: int = 32768

    def params(self) -> dict[str, Any]:
        """The content of params.json."""
        return {
            "dim": self.dim,
            "n_layers": self.n_layers,
            "head_dim": self.head_dim,
            "hidden_dim": self.hidden_dim,
            "n_heads": self.n_heads,
            "n_kv_heads": self.n_kv_heads,
            "norm_eps": 1e-05,
            "vocab_size": self.vocab_size,
            "rope_theta": 1000000.0,
            "max_position_embeddings": self.max_position_embeddings,
        }


def padded(shape: Shape, mebibytes: int) -> Shape:
    """A shape whose weights are at least ``mebibytes`` MiB, by a wider feed-forward part.

    Width rather than layers: the KV cache per token stays what it was.
    """
    missing = mebibytes * _MIB - _weight_bytes(shape)
    if missing <= 0:
        return shape
    per_column = 3 * shape.dim * shape.n_layers * _BYTES_PER_WEIGHT
    step = 512  # keeps the width divisible by every tensor parallel size
    columns = -(-missing // (per_column * step)) * step
    return replace(shape, hidden_dim=shape.hidden_dim + columns)


def tensors(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor, in the order in which they lie in the file."""
    q_dim, kv_dim = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    yield "tok_embeddings.weight", (shape.vocab_size, shape.dim)
    for layer in range(shape.n_layers):
        attention, feed = f"layers.{layer}.attention", f"layers.{layer}.feed_forward"
        yield f"{attention}.wq.weight", (q_dim, shape.dim)
        yield f"{attention}.wk.weight", (kv_dim, shape.dim)
        yield f"{attention}.wv.weight", (kv_dim, shape.dim)
        yield f"{attention}.wo.weight", (shape.dim, q_dim)
        yield f"{feed}.w1.weight", (shape.hidden_dim, shape.dim)
        yield f"{feed}.w2.weight", (shape.dim, shape.hidden_dim)
        yield f"{feed}.w3.weight", (shape.hidden_dim, shape.dim)
        yield f"layers.{layer}.attention_norm.weight", (shape.dim,)
        yield f"layers.{layer}.ffn_norm.weight", (shape.dim,)
    yield "norm.weight", (shape.dim,)
    yield "output.weight", (shape.vocab_size, shape.dim)


def write_checkpoint(out: Path, *, seed: int = 0, shape: Shape | None = None) -> Path:
    """Write the three files into ``out`` (made if missing) and return it."""
    shape = shape or Shape()
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / "params.json", shape.params())
    _write_json(out / "tekken.json", _tokenizer(shape.vocab_size))
    _write_weights(out / "consolidated.safetensors", shape, seed)
    return out


def _weight_bytes(shape: Shape) -> int:
    return sum(prod(dims) for _, dims in tensors(shape)) * _BYTES_PER_WEIGHT


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


def _tokenizer(vocab_size: int) -> dict[str, Any]:
    source = files("mistral_common") / "data" / _TEKKEN
    tekken: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    kept = vocab_size - _SPECIAL_TOKENS
    if not 256 <= kept <= len(tekken["vocab"]):
        msg = (
            f"vocab_size {vocab_size} is outside {256 + _SPECIAL_TOKENS}.."
            f"{len(tekken['vocab']) + _SPECIAL_TOKENS}, the sizes that {_TEKKEN} can be cut to"
        )
        raise ValueError(msg)
    config = tekken["config"] | {"num_vocab_tokens": kept, "default_vocab_size": vocab_size}
    return {"config": config, "vocab": tekken["vocab"][:kept]}


def _write_weights(path: Path, shape: Shape, seed: int) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dims in tensors(shape):
        end = offset + prod(dims) * _BYTES_PER_WEIGHT
        header[name] = {"dtype": "BF16", "shape": list(dims), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    source = np.random.PCG64(seed)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, dims in tensors(shape):
            norm = name.endswith("norm.weight")
            values = np.ones(dims, np.float32) if norm else _noise(source, prod(dims))
            file.write(_bfloat16(values).tobytes())


def _noise(source: np.random.PCG64, count: int) -> npt.NDArray[np.float32]:
    """Uniform noise from the generator's raw bits, whose stream numpy never changes."""
    raw = np.asarray(source.random_raw(-(-count // 4)), dtype="<u8").view("<i2")[:count]
    return raw.astype(np.float32) * np.float32(_SCALE / 32768)


def _bfloat16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """The upper halves of the floats: truncation is good enough for noise."""
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2")


def main(arguments: list[str] | None = None) -> None:
    """Write a checkpoint as the command line says and name its files."""
    parser = argparse.ArgumentParser(prog="python -m e2e.engine.checkpoint", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--seed", type=int, default=0, help="other seed, other bytes")
    parser.add_argument("--size", default="small", help="'small', or MiB of weights at least")
    parser.add_argument("--layers", type=int, default=Shape().n_layers)
    parser.add_argument("--context", type=int, default=Shape().max_position_embeddings)
    parser.add_argument("--vocab-size", type=int, default=Shape().vocab_size)
    args = parser.parse_args(arguments)
    shape = Shape(
        n_layers=args.layers,
        max_position_embeddings=args.context,
        vocab_size=args.vocab_size,
    )
    if args.size != "small":
        shape = padded(shape, int(args.size))
    folder = write_checkpoint(args.out, seed=args.seed, shape=shape)
    for name in FILES:
        print(f"{(folder / name).stat().st_size:>12}  {folder / name}")


if __name__ == "__main__":
    main()
