"""Reads a model folder as vLLM would, and says in vLLM's words why it cannot be served.

Called once at the start by ``__main__``. It opens params.json and tekken.json, ``weightfiles`` the
rest.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.engine.standin.failing import ConfigError, StartError
from e2e.engine.standin.flags import Options
from e2e.engine.standin.weightfiles import read_weights

__all__ = ["ModelFolder", "read_folder"]

_log = logging.getLogger("vllm.transformers_utils.config")


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
    _json(path, "tekken.json")
    layers, vocab_size = int(params["n_layers"]), int(params["vocab_size"])
    return ModelFolder(
        path=str(path),
        heads=int(params["n_heads"]),
        kv_heads=int(params.get("n_kv_heads", params["n_heads"])),
        head_dim=int(params.get("head_dim", params["dim"] // params["n_heads"])),
        layers=layers,
        vocab_size=vocab_size,
        max_position_embeddings=int(params.get("max_position_embeddings", 128_000)),
        weight_bytes=read_weights(path, layers, vocab_size),
    )


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if name != "params.json":
            raise StartError("No tokenizer file found.") from None
        message = f"Failed to load mistral 'params.json' config for model {folder}. Please "
        message += "check if the model is a mistral-format model and if the config file exists."
        for more in (", retrying 1 of 2", ""):
            _log.error("Error parsing config for %s: %s%s", folder, message, more)
        raise ConfigError(message) from None
    except ValueError as error:
        if name == "params.json":
            _log.error("Error parsing config for %s: %s", folder, error)
        raise StartError(str(error), "json.decoder.JSONDecodeError") from error
    if not isinstance(content, dict):
        raise StartError(f"{folder / name} holds no JSON object", "TypeError")
    return content
