"""Cuts models into pipeline stages with vLLM's own layers: run by the Python of its environment.

Reads one JSON document a line, {"model", "files": {name: content}, "layouts": [[tensor parallel
size, stages], …]}; answers each with {"model", "said": [[tensor parallel size, stages, what vLLM
says, layers of each stage], …]}: "" where it builds every stage, else of the first that it does
not. The layers are those of the text model, as vLLM's make_layers counts them. No GPU (seat.py).
"""

import json
import logging
import sys
from typing import Any

from vllm.config import VllmConfig
from vllm.distributed.utils import get_pp_indices

from e2e.engine.oracle.judge import verdict
from e2e.engine.oracle.seat import configured


def cut(config: VllmConfig, size: int, stages: int) -> list[Any]:
    told = (verdict(config, size, stages, stage) for stage in range(stages))
    layers = config.model_config.get_total_num_hidden_layers()
    bounds = [get_pp_indices(layers, stage, stages) for stage in range(stages)]
    said = next((one for one in told if one), "")
    return [size, stages, said, [behind - first for first, behind in bounds]]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    with configured(asked["files"]) as config:
        return {"model": asked["model"], "said": [cut(config, *one) for one in asked["layouts"]]}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
