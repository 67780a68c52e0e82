"""Has vLLM's own scheduler plan steps: run by the Python of its environment, without an engine.

Reads one JSON document a line (scheduled.py); answers each with {"number", "steps": [[[request,
tokens], …], …]}: in each step the tokens of each request in its order, to the end of the last. No
two prompts have a block in common. Default settings, but that steps do not overlap
(``async_scheduling``): what is computed is known before the next one is planned.
"""

import json
import logging
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from vllm import SamplingParams
from vllm.config import CacheConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request
from vllm.v1.structured_output import StructuredOutputManager

from e2e.engine.oracle.scheduled import BLOCK

CONTEXT = 4096
WORDS = 1000
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_hidden_layers": 1,
    "vocab_size": WORDS,
    "max_position_embeddings": CONTEXT,
    "torch_dtype": "float32",
}


def scheduler(asked: dict[str, Any], folder: str) -> Scheduler:
    config = VllmConfig(
        model_config=ModelConfig(model=folder, skip_tokenizer_init=True, max_model_len=CONTEXT),
        cache_config=CacheConfig(block_size=BLOCK),
        scheduler_config=SchedulerConfig(
            max_num_seqs=asked["max_num_seqs"],
            max_num_batched_tokens=asked["max_num_batched_tokens"],
            max_model_len=CONTEXT,
            is_encoder_decoder=False,
            async_scheduling=False,
        ),
    )
    layer = FullAttentionSpec(BLOCK, num_kv_heads=1, head_size=1, dtype=torch.float32)
    blocks = asked["blocks"] + 1  # it keeps one for what is skipped
    config.cache_config.num_gpu_blocks = blocks
    return Scheduler(
        vllm_config=config,
        kv_cache_config=KVCacheConfig(blocks, [], [KVCacheGroupSpec(["layer"], layer)]),
        structured_output_manager=StructuredOutputManager(config),
        block_size=BLOCK,
        hash_block_size=BLOCK,
    )


def request(number: int, prompt: int, answer: int) -> Request:
    rng = random.Random(number)  # noqa: S311 - draws, not secrets
    return Request(
        request_id=str(number),
        prompt_token_ids=[rng.randrange(WORDS) for _ in range(prompt)],
        sampling_params=SamplingParams(ignore_eos=True, max_tokens=answer),
        pooling_params=None,
        block_hasher=get_request_block_hasher(BLOCK, sha256),
    )


def steps(plans: Scheduler, requests: list[list[int]]) -> Iterator[list[list[int]]]:
    coming, step = list(enumerate(requests)), 0
    while coming or plans.has_unfinished_requests():
        while coming and coming[0][1][0] <= step:
            number, (_, prompt, answer) = coming.pop(0)
            plans.add_request(request(number, prompt, answer))
        plan = plans.schedule()
        tokens = plan.num_scheduled_tokens
        yield [[int(name), count] for name, count in tokens.items()]
        whole = [
            one.num_computed_tokens >= one.num_tokens for one in map(plans.requests.get, tokens)
        ]
        plans.update_from_output(
            plan,
            ModelRunnerOutput(
                req_ids=list(tokens),
                req_id_to_index={name: place for place, name in enumerate(tokens)},
                sampled_token_ids=[[step % WORDS] if one else [] for one in whole],
            ),
        )
        step += 1


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    init_none_hash(sha256)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(MODEL))
        for line in sys.stdin:
            asked = json.loads(line)
            found = list(steps(scheduler(asked, folder), asked["requests"]))
            print(json.dumps({"number": asked["number"], "steps": found}), flush=True)
