"""Judges shapes with vLLM's own layers: run by the Python of vLLM's environment, alone.

Reads one JSON document a line, {"files": {name: content}, "sizes"}; answers each with the sizes of
which vLLM says the same, [[what it says, sizes], …]: "" where it builds the model, "{size}" for the
size. The layers are built on the meta device, in the place of one of so many GPUs (seat.py). No
weights, no GPU, no process but this one.
"""

import json
import logging
import re
import sys
from typing import Any

import torch
from vllm.config import ParallelConfig, VllmConfig
from vllm.model_executor.model_loader.utils import initialize_model

from e2e.engine.oracle.seat import configured, play


def verdict(config: VllmConfig, size: int, stages: int = 1, stage: int = 0) -> str:
    play(size, stages, stage)
    parallel = ParallelConfig(tensor_parallel_size=size, pipeline_parallel_size=stages)
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
        with configured(asked["files"]) as config:
            for size in asked["sizes"]:
                told.setdefault(verdict(config, size), []).append(size)
        print(json.dumps(sorted(told.items())), flush=True)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main()
