"""GPUStack on the table: run by its own Python. It estimates no cache, only whether a model fits.

Its claim is estimate_model_vram; a layout fits when the GPUs together have so much within the
utilisation, as its selectors for one and for several GPUs add up.
"""

import asyncio
import json
import sys
from types import SimpleNamespace

from gpustack.policies import utils  # type: ignore[import-not-found]  # another environment

MEBIBYTES = {
    "NVIDIA-H100-80GB-HBM3": 81559,
    "NVIDIA-A100-SXM4-80GB": 81920,
    "NVIDIA-B200": 183359,
    "NVIDIA-L4": 23034,
    "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition": 97887,
}


def main() -> None:
    """Rows in, answers out, both JSON."""
    table = json.load(sys.stdin)
    answers = {}
    for row in table["rows"]:
        size = table["models"][row["model"]]["weightBytes"]
        utils.get_model_weight_size = lambda _model, _token=None, size=size: size
        utils.get_vram_claim_from_model_env = lambda _model: None
        utils.is_llm_model = lambda _model: True
        model = SimpleNamespace(
            name=row["model"],
            categories=[],
            source=utils.SourceEnum.HUGGING_FACE,
            lora_list=None,
            env=None,
        )
        claim = asyncio.run(utils.estimate_model_vram(model))
        gpus = row["tensorParallel"] * row["pipelineParallel"]
        room = gpus * (MEBIBYTES[row["gpu"]] << 20) * row["utilization"]
        answers[row["id"]] = {"fits": claim <= room}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
