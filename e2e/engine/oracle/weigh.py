"""Weighs models as vLLM's own layers lay them on GPUs: run by the Python of vLLM's environment.

Reads one JSON document a line, {"model", "files": {name: content}, "layouts": [[tensor parallel
size, stages], …]}; answers each with {"model", "ranks": [[tensor parallel size, stages, stage,
bytes of parameters, bytes of buffers, bytes of cache per token], …]}, of the first GPU of each
stage. The layers are built on the meta device (seat.py): their tensors have sizes and no memory.
What vLLM makes of them after loading (other formats of quantised weights, copies for MLA) is not
in it.
"""

import json
import logging
import sys
from collections.abc import Iterable
from typing import Any

import torch
from vllm.config import ParallelConfig, VllmConfig
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.utils.torch_utils import set_default_torch_dtype

from e2e.engine.oracle.seat import BLOCK, configured, play


def weigh(config: VllmConfig, size: int, stages: int, stage: int) -> list[int]:
    play(size, stages, stage)
    config.parallel_config = ParallelConfig(
        tensor_parallel_size=size, pipeline_parallel_size=stages
    )
    layers = config.compilation_config.static_forward_context
    layers.clear()
    with set_default_torch_dtype(config.model_config.dtype), torch.device("meta"):
        model = initialize_model(config)
    specs = [
        spec
        for layer in layers.values()
        if hasattr(layer, "get_kv_cache_spec") and (spec := layer.get_kv_cache_spec(config))
    ]
    cache = sum(spec.page_size_bytes * BLOCK // spec.block_size for spec in specs) // BLOCK
    return [size, stages, stage, _bytes(model.parameters()), _bytes(model.buffers()), cache]


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(one.numel() * one.element_size() for one in tensors)


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    with configured(asked["files"]) as config:
        ranks = [
            weigh(config, size, stages, stage)
            for size, stages in asked["layouts"]
            for stage in range(stages)
        ]
    return {"model": asked["model"], "ranks": ranks}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
