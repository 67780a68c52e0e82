"""llm-d-planner on the table: run by its own Python. What the hub would tell it is put in.

Its users ask allocatable_kv_cache_memory with the memory of its own catalogue of GPUs.
"""

import json
import sys
from types import SimpleNamespace
from typing import Any

from planner import capacity_planner  # type: ignore[import-not-found]  # another environment

CATALOGUE = {  # planner/data/configuration/gpu_catalog.json, memory_gb
    "NVIDIA-H100-80GB-HBM3": 80,
    "NVIDIA-A100-SXM4-80GB": 80,
    "NVIDIA-L4": 24,
    "NVIDIA-B200": 192,
}
STORED = {"bfloat16": ("BF16", 2), "float16": ("F16", 2), "float8": ("F8_E4M3", 1)}


def config(facts: dict[str, Any]) -> SimpleNamespace:
    """What transformers would read of config.json."""
    known = SimpleNamespace(
        architectures=[facts["architecture"]],
        hidden_size=facts["hiddenSize"],
        intermediate_size=facts["intermediateSize"],
        num_hidden_layers=facts["layers"],
        num_attention_heads=facts["attentionHeads"],
        num_key_value_heads=facts["keyValueHeads"],
        head_dim=facts["headDimension"],
        vocab_size=facts["vocabularySize"],
        max_position_embeddings=facts["maxContextLength"],
        torch_dtype="float16" if facts["dtype"] == "float16" else "bfloat16",
        dtype="float16" if facts["dtype"] == "float16" else "bfloat16",
    )
    if "experts" in facts:
        known.num_experts = facts["experts"]["routed"]
    if "latentAttention" in facts:
        known.kv_lora_rank = facts["latentAttention"]["kvLoraRank"]
        known.qk_rope_head_dim = facts["latentAttention"]["ropeHeadDimension"]
    if "visionHeads" in facts:
        known.vision_config = SimpleNamespace()
    return known


def main() -> None:
    """Rows in, answers out, both JSON."""
    table = json.load(sys.stdin)
    models = table["models"]

    def metadata(name: str, _token: str | None = None) -> SimpleNamespace:
        facts = models[name]
        stored, size = STORED.get(facts["dtype"], ("U8", 1))
        return SimpleNamespace(parameter_count={stored: facts["weightBytes"] // size})

    capacity_planner.get_safetensors_metadata_from_hf = metadata
    answers = {}
    for row in table["rows"]:
        memory = CATALOGUE.get(row["gpu"])
        if memory is None:
            answers[row["id"]] = {"refused": "not in its catalogue of GPUs"}
            continue
        shape = {"tp": row["tensorParallel"], "pp": row["pipelineParallel"]}
        facts = config(models[row["model"]])
        cache = capacity_planner.allocatable_kv_cache_memory(
            row["model"], facts, memory, row["utilization"], **shape
        )
        requests = capacity_planner.max_concurrent_requests(
            row["model"], facts, row["maxModelLen"], memory, row["utilization"], **shape
        )
        gpus = shape["tp"] * shape["pp"]
        answers[row["id"]] = {"cacheGiB": cache / gpus, "fits": requests >= 1}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
