"""Judges shapes with vLLM's own layers: run by the Python of vLLM's environment, alone.

Reads one JSON document a line, {"files": {name: content}, "sizes"}; answers each with the sizes of
which vLLM says the same, [[what it says, sizes], …]: "" where it builds the model, "{size}" for the
size. The layers are built on the meta device, in the place of one of so many GPUs: a stand-in of
the process groups says how many there are. No weights, no GPU, no process but this one.
"""

import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import vllm.distributed.parallel_state as groups
import vllm.model_executor.layers.quantization.fp8 as eight_bits
from vllm.config import (
    CacheConfig,
    DeviceConfig,
    ModelConfig,
    ParallelConfig,
    VllmConfig,
)
from vllm.model_executor.model_loader.utils import initialize_model

logging.disable(logging.CRITICAL)
# There is none for blocks on a CPU; vLLM checks their shapes before it looks for one.
eight_bits.init_fp8_linear_kernel = lambda *_, **__: None


class Members:
    """What layers ask of torch's group of processes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    def rank(self) -> int:
        return 0


class Group:
    """Says how many there are, and that this is the first."""

    def __init__(self, size: int) -> None:
        self.world_size = size
        self.rank = self.rank_in_group = self.local_rank = 0
        self.ranks = list(range(size))
        self.is_first_rank = True
        self.is_last_rank = size == 1
        self.device_group = self.cpu_group = Members(size)
        self.device_communicator = None
        self.use_device_communicator = False
        self.unique_name = f"stand-in:{size}"


def play(size: int) -> None:
    """One of so many GPUs, in a single stage."""
    one, many = Group(1), Group(size)
    for name in ("_WORLD", "_TP", "_ETP", "_EP"):
        setattr(groups, name, many)
    for name in ("_PP", "_DP", "_DCP", "_PCP", "_EPLB"):
        setattr(groups, name, one)


def configured(folder: Path, form: str) -> VllmConfig:
    model = ModelConfig(
        model=str(folder),
        config_format=form,
        skip_tokenizer_init=True,
        dtype="bfloat16",
        max_model_len=1024,
        enforce_eager=True,
    )
    return VllmConfig(
        model_config=model,
        cache_config=CacheConfig(block_size=16),
        parallel_config=ParallelConfig(),
        device_config=DeviceConfig("cpu"),
    )


def verdict(config: VllmConfig, size: int) -> str:
    play(size)
    parallel = ParallelConfig(tensor_parallel_size=size)
    config.parallel_config = parallel
    config.compilation_config.static_forward_context.clear()
    try:
        config.model_config.verify_with_parallel_config(parallel)
        with torch.device("meta"):
            initialize_model(config)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the verdict
        first = (str(error).splitlines() or [""])[0]
        said = f"{type(error).__name__}: {first}" if first else type(error).__name__
        return re.sub(rf"(divisible by |parallel size \(){size}(\)\.)?$", r"\1{size}\2", said)
    return ""


def main() -> None:
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        told: dict[str, list[int]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for name, content in asked["files"].items():
                Path(folder, name).write_text(json.dumps(content), encoding="utf-8")
            play(1)
            form = "mistral" if "params.json" in asked["files"] else "hf"
            config = configured(Path(folder), form)
            for size in asked["sizes"]:
                told.setdefault(verdict(config, size), []).append(size)
        print(json.dumps(sorted(told.items())), flush=True)


main()
