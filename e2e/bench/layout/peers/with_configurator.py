"""aiconfigurator-core on the table: run by its own Python, on the models it carries."""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from aiconfigurator_core.sdk.memory import (  # type: ignore[import-not-found]  # another environment
    estimate_kv_cache,
)

SYSTEMS = {
    "NVIDIA-H100-80GB-HBM3": "h100_sxm",
    "NVIDIA-A100-SXM4-80GB": "a100_sxm",
    "NVIDIA-B200": "b200_sxm",
    "NVIDIA-L4": "l4",
    "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition": "rtx_pro_6000_server",
}
SAME = {"meta-llama/Llama-3.1-8B-Instruct": "meta-llama/Meta-Llama-3.1-8B"}  # the same shapes


def asked(row: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """One row, answered or refused in its own words."""
    shape: dict[str, Any] = {"tp_size": row["tensorParallel"], "pp_size": row["pipelineParallel"]}
    if "experts" in facts:
        shape |= {"moe_tp_size": row["tensorParallel"], "moe_ep_size": 1}
    if row.get("cacheType") == "fp8":
        shape["kvcache_quant_mode"] = "fp8"
    found = estimate_kv_cache(
        SAME.get(row["model"], row["model"]),
        SYSTEMS[row["gpu"]],
        "vllm",
        "current",
        max_num_tokens=row["maxNumBatchedTokens"],
        max_batch_size=row["maxNumSeqs"],
        memory_fraction_kind="of_total",
        memory_fraction_value=row["utilization"],
        **shape,
    )
    fits = found["total_kv_size_tokens"] >= row["maxModelLen"]
    return {"cacheGiB": found["total_kv_size_bytes"] / 2**30, "fits": fits}


def main() -> None:
    """Rows in, answers out, both JSON."""
    table = json.load(sys.stdin)
    answers: dict[str, Any] = {}
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        for row in table["rows"]:
            try:
                answers[row["id"]] = asked(row, table["models"][row["model"]])
            except ValueError as error:
                said = str(error)
                none = "no KV" in said or "budget" in said
                answers[row["id"]] = {"fits": False} if none else {"refused": said[:200]}
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
