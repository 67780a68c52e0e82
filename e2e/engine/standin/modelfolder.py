"""Reads a model folder as vLLM would, and says in vLLM's words why it cannot be served.

Called once at the start by ``__main__``. It opens params.json, tekken.json and the headers of
consolidated*.safetensors, never the weights themselves.
"""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.engine.standin.flags import Options

__all__ = ["EngineError", "ModelFolder", "StartError", "read_folder"]

_DTYPE_BYTES: Final = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "U8": 1, "I32": 4, "I64": 8}
_MAX_HEADER: Final = 100_000_000


class StartError(Exception):
    """Why vLLM does not start: found while it reads flags and files, said on stderr only."""


class EngineError(StartError):
    """The same, found by its engine core, which logs it as an ERROR under ``vllm`` first."""


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """The facts of a model that decide whether and how it can be served."""

    path: str
    heads: int
    kv_heads: int
    head_dim: int
    layers: int
    vocab_size: int
    max_position_embeddings: int
    weight_bytes: int

    def kv_bytes_per_token(self, options: Options) -> int:
        """Bytes of KV cache that one token needs on one GPU."""
        width = 1 if options.kv_cache_dtype.startswith("fp8") else 2
        kv_heads = max(1, self.kv_heads // options.tensor_parallel_size)
        layers = -(-self.layers // options.pipeline_parallel_size)
        return 2 * layers * kv_heads * self.head_dim * width


def read_folder(path: Path) -> ModelFolder:
    """Read and check the folder; ``StartError`` with vLLM's message if it cannot be served."""
    if not path.is_dir():
        raise StartError(
            f"Repo id must be in the form 'repo_name' or 'namespace/repo_name': '{path}'. "
            "Use `repo_type` argument if needed."
        )
    params = _json(path, "params.json")
    tokenizer = _json(path, "tekken.json")
    vocab_size = int(params["vocab_size"])
    tokens = int(tokenizer["config"]["default_vocab_size"])
    if tokens > vocab_size:
        raise StartError(
            f"Token id {tokens - 1} is out of vocabulary: the tokenizer has {tokens} tokens, "
            f"params.json says vocab_size={vocab_size}"
        )
    return ModelFolder(
        path=str(path),
        heads=int(params["n_heads"]),
        kv_heads=int(params.get("n_kv_heads", params["n_heads"])),
        head_dim=int(params.get("head_dim", params["dim"] // params["n_heads"])),
        layers=int(params["n_layers"]),
        vocab_size=vocab_size,
        max_position_embeddings=int(params.get("max_position_embeddings", 128_000)),
        weight_bytes=_weights(path),
    )


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if name == "params.json":
            message = f"Failed to load mistral 'params.json' config for model {folder}. Please "
            message += "check if the model is a mistral-format model and if the config file exists."
        else:
            message = f"No tokenizer file found in directory: {folder}"
        raise StartError(message) from None
    except ValueError as error:
        raise StartError(f"{folder / name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise StartError(f"{folder / name} holds no JSON object")
    return content


def _weights(folder: Path) -> int:
    found = sorted(folder.glob("consolidated*.safetensors"))
    if not found:
        raise EngineError(f"Cannot find any model weights with `{folder}`")
    return sum(_weights_of(file) for file in found)


def _weights_of(file: Path) -> int:
    """Bytes of the tensors in one file, whose header must cover the file exactly."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _MAX_HEADER + 1
        if length > min(_MAX_HEADER, size - 8):
            raise EngineError(f"Error while deserializing header: invalid header length ({file})")
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
        except ValueError as error:
            raise EngineError(
                f"Error while deserializing header: invalid JSON in header: {error} ({file})"
            ) from error
    end = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            end = max(end, _checked_end(file, name, tensor))
    if 8 + length + end != size:
        raise EngineError(
            "Error while deserializing header: incomplete metadata, file not fully covered "
            f"({file}: header covers {8 + length + end} bytes, the file has {size})"
        )
    return end


def _checked_end(file: Path, name: str, tensor: dict[str, Any]) -> int:
    begin, end = tensor["data_offsets"]
    expected = _DTYPE_BYTES.get(tensor["dtype"], 1)
    for dimension in tensor["shape"]:
        expected *= dimension
    if end - begin != expected:
        raise EngineError(
            f"Error while deserializing header: tensor {name} of {file} has {end - begin} bytes, "
            f"its dtype and shape need {expected}"
        )
    return int(end)
