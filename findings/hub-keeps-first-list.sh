#!/usr/bin/env bash
# Tool: huggingface-hub 2.4.0 against a mirror of your own.
#
# Expected: a mirror copies a repository file by file. Who downloads too early gets too few files;
# downloading again later brings the rest, and at the latest force_download=True does.
# Seen: it never does. The first answer to "which files has this commit" is kept beside the files
# (trees/COMMIT.json) and never asked for again, in no later process and not with force_download=True
# either, which only loads the files of the old list once more. Each of these downloads ends
# without a warning. Only deleting that hidden file, or the whole cache, makes it look again.
#
# Why it matters on your own GPU nodes: the mirror was still filling when one node pulled. That
# node's copy lacks params.json (or a shard) for good; the mirror is complete, every other node
# works, and the very call that is meant to repair a download says that all is well.
#
# Output seen:
#   mirror has 1 of 2 files:            config.json
#   mirror has both:                    config.json
#   mirror has both, force_download:    config.json
#   mirror has both, list deleted:      config.json params.json
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check huggingface_hub==2.4.0

cat >finding.py <<'PY'
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "1" * 40
FILES = {"config.json": b"{}"}
DOWNLOAD = """
import os, sys
from huggingface_hub import snapshot_download
from huggingface_hub.utils import disable_progress_bars
disable_progress_bars()
folder = snapshot_download("org/model", revision=sys.argv[1], force_download="force" in sys.argv)
print(*sorted(os.listdir(folder)))
"""


class Mirror(BaseHTTPRequestHandler):
    """Lists and gives out what it has so far."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        status, body, headers = 200, b"{}", {}
        if "/tree/" in self.path:
            body = json.dumps(
                [{"type": "file", "path": path, "size": len(content), "oid": blob(content)}
                 for path, content in FILES.items()]
            ).encode()
        elif name in FILES:
            body, headers = FILES[name], {"ETag": f'"{blob(FILES[name])}"', "X-Repo-Commit": COMMIT}
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def blob(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def download(*arguments: str) -> str:
    """The files that a fresh process has after its download."""
    command = [sys.executable, "-c", DOWNLOAD, COMMIT, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


mirror = ThreadingHTTPServer(("127.0.0.1", 0), Mirror)
threading.Thread(target=mirror.serve_forever, daemon=True).start()
os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{mirror.server_port}", HF_HOME="home", NO_PROXY="127.0.0.1")

print("mirror has 1 of 2 files:           ", download())
FILES["params.json"] = b'{"dim": 128}'
print("mirror has both:                   ", download())
print("mirror has both, force_download:   ", download("force"))
for kept in Path("home").rglob("trees"):
    shutil.rmtree(kept)
print("mirror has both, list deleted:     ", download())
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: the list of a commit's files is kept in another way now"; exit 1; }
mirror has 1 of 2 files:            config.json
mirror has both:                    config.json
mirror has both, force_download:    config.json
mirror has both, list deleted:      config.json params.json
SEEN
echo "as described: what a mirror lacked once is never fetched again"
