#!/usr/bin/env bash
# Tool: safetensors 0.8.0 (with numpy 2.3.5).
#
# Expected: a file of weights gets the permissions of any new file, 0644 with the usual umask 022,
# as with safetensors 0.7.0 and as the config.json written beside it; written over an older file,
# the file keeps the permissions and links that it had.
# Seen: 0600, for the owner only, whatever the umask says, and also over a file that everybody could
# read. The file is written under a temporary name and moved into place, so a hard link or a
# symbolic link at that place is replaced, not written through. New with 0.8.0.
#
# Why it matters on your own GPU nodes: who merges an adapter, converts or quantises a model does it as
# one user, and the engine runs as another, without root. The folder looks right, config.json is
# readable, the checksums are right, and the engine finds no weights or no adapter.
#
# Output seen:
#   config.json:                       0644
#   new model.safetensors:             0600
#   model.safetensors that was 0644:   0600
#   symbolic link to model in a store: replaced by a file, the store unchanged
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
umask 022
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.3.5

cat >finding.py <<'PY'
from pathlib import Path

import numpy
from safetensors.numpy import load_file, save_file

weights = {"embedding": numpy.ones((2, 3), numpy.float32)}


def mode(path: str) -> str:
    return f"{Path(path).stat().st_mode & 0o7777:04o}"


def saved(path: str) -> str:
    save_file(weights, path)
    assert numpy.array_equal(load_file(path)["embedding"], weights["embedding"])
    return mode(path)


Path("config.json").write_text("{}")
print("config.json:                      ", mode("config.json"))
print("new model.safetensors:            ", saved("model.safetensors"))
Path("model.safetensors").chmod(0o644)
print("model.safetensors that was 0644:  ", saved("model.safetensors"))
Path("store").write_text("weights in a store")
Path("linked.safetensors").symlink_to("store")
saved("linked.safetensors")
link = "still a link" if Path("linked.safetensors").is_symlink() else "replaced by a file"
store = "unchanged" if Path("store").read_text() == "weights in a store" else "written over"
print(f"symbolic link to model in a store: {link}, the store {store}")
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: saved weights get other permissions now"; exit 1; }
config.json:                       0644
new model.safetensors:             0600
model.safetensors that was 0644:   0600
symbolic link to model in a store: replaced by a file, the store unchanged
SEEN
echo "as described: weights saved by one user cannot be read by the engine's user"
