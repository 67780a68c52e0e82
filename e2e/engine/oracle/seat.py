"""Plays one of several GPUs for vLLM's layers: stand-ins of the process groups that they ask.

Used by judge.py and weigh.py in the Python of vLLM's environment. What is built after ``play`` is
built on the meta device as on that GPU; nothing is sent, no process but this one is there.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vllm.distributed.parallel_state as groups
from vllm.config import CacheConfig, DeviceConfig, ModelConfig, ParallelConfig, VllmConfig

from e2e.engine.oracle.gpu import choose_kernels_as_on_a_gpu

__all__ = ["BLOCK", "configured", "play"]

BLOCK = 16  # tokens of a block of the cache
choose_kernels_as_on_a_gpu()


class Members:
    """What layers ask of torch's group of processes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def size(self) -> int:
        return self._size

    def rank(self) -> int:
        return 0


class Group:
    """Says how many there are, and which of them this is."""

    def __init__(self, size: int, rank: int = 0) -> None:
        self.world_size = size
        self.rank = self.rank_in_group = self.local_rank = rank
        self.ranks = list(range(size))
        self.is_first_rank = rank == 0
        self.is_last_rank = rank == size - 1
        self.device_group = self.cpu_group = Members(size)
        self.device_communicator = None
        self.use_device_communicator = False
        self.unique_name = f"stand-in:{size}"


def play(size: int, stages: int = 1, stage: int = 0) -> None:
    """The first of so many GPUs of one stage of so many."""
    one, many = Group(1), Group(size)
    for name in ("_WORLD", "_TP", "_ETP", "_EP"):
        setattr(groups, name, many)
    for name in ("_DP", "_DCP", "_PCP", "_EPLB"):
        setattr(groups, name, one)
    for name in ("_PP",):
        setattr(groups, name, Group(stages, stage))


@contextmanager
def configured(files: Mapping[str, Any]) -> Iterator[VllmConfig]:
    """The model of these JSON files, by name, for one GPU; they lie in a folder until the end."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_text(json.dumps(content), encoding="utf-8")
        play(1)
        yield _config_of(folder, "mistral" if "params.json" in files else "hf")


def _config_of(folder: str, form: str) -> VllmConfig:
    model = ModelConfig(
        model=folder,
        config_format=form,
        skip_tokenizer_init=True,
        dtype="bfloat16",
        max_model_len=1024,
        enforce_eager=True,
    )
    return VllmConfig(
        model_config=model,
        cache_config=CacheConfig(block_size=BLOCK),
        parallel_config=ParallelConfig(),
        device_config=DeviceConfig("cpu"),
    )
