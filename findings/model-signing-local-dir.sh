#!/usr/bin/env bash
# Tools: model-signing 1.1.1 (the signer of the OpenSSF's model signing specification) on what
# huggingface-hub 2.4.0 downloads with local_dir.
#
# Expected: two downloads of one commit hold the same model, so the signature made over the first
# verifies the second. The signer leaves out .git by itself, so it knows of such side files.
# Seen: the second download fails with "Hash mismatch". A download with local_dir leaves a hidden
# .cache/huggingface beside the files, with the time of the download in it; the signer signs that
# folder as part of the model. Nobody else can ever have the same model. A signature made before is
# mended by nothing but signing again: --ignore-paths at verification does not leave out what was
# signed, at signing it does.
#
# Why it matters on your own GPU nodes: the person who approves a model signs what `hf download
# --local-dir` gave, and each node that fetches the same commit by the same command is refused,
# with a message about a digest that reads like tampering.
#
# Output seen:
#   the files of the two downloads: the same
#   first download, signed: verified
#   second download: Hash mismatch for '.cache/huggingface/download/config.json.metadata'
#   second download, .cache left out when signing: verified
#
# model-signing 1.1.1 does not import unless pyOpenSSL, which it does not ask for, is installed too.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check \
    model-signing==1.1.1 pyOpenSSL==26.4.0 cryptography==50.0.2 huggingface_hub==2.4.0

cat >finding.py <<'PY'
import filecmp
import hashlib
import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "1" * 40
CONFIG = b'{"model_type": "mistral"}'


class Hub(BaseHTTPRequestHandler):
    """The three answers of a hub that a download of one commit needs."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        blob = hashlib.sha1(CONFIG).hexdigest()
        body, headers = b"{}", {}
        if "/tree/" in self.path:
            file = {"type": "file", "path": "config.json", "size": len(CONFIG), "oid": blob}
            body = json.dumps([file]).encode()
        elif self.path.endswith("/config.json"):
            body, headers = CONFIG, {"ETag": f'"{blob}"', "X-Repo-Commit": COMMIT}
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def keys() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for name, pem in (("private.pem", private), ("public.pem", public)):
        with open(name, "wb") as file:
            file.write(pem)


def signing(*arguments: str) -> str:
    """The signer's verdict: verified, or what it says of the first difference."""
    run = subprocess.run(["venv/bin/model_signing", *arguments], capture_output=True, text=True, check=False)
    if run.returncode == 0:
        return "verified"
    said = re.search(r"Hash mismatch for '[^']+'", (run.stdout + run.stderr).replace("\\'", "'"))
    return said.group() if said else run.stdout + run.stderr


hub = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=hub.serve_forever, daemon=True).start()
os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{hub.server_port}", HF_HOME="home", NO_PROXY="127.0.0.1")

from huggingface_hub import snapshot_download  # noqa: E402 - reads the environment when imported
from huggingface_hub.utils import disable_progress_bars  # noqa: E402

disable_progress_bars()
for folder in ("first", "second"):
    snapshot_download("org/model", revision=COMMIT, local_dir=folder)
keys()
same = filecmp.cmp("first/config.json", "second/config.json", shallow=False)
print("the files of the two downloads:", "the same" if same else "not the same")

sign = ("sign", "key", "--private_key", "private.pem", "--signature")
verify = ("verify", "key", "--public_key", "public.pem", "--signature")
signing(*sign, "all.sig", "first")
print("first download, signed:", signing(*verify, "all.sig", "first"))
print("second download:", signing(*verify, "all.sig", "second"))
signing(*sign, "files.sig", "--ignore-paths", "first/.cache", "first")
print("second download, .cache left out when signing:", signing(*verify, "files.sig", "second"))
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: signer or download treat the hidden folder in another way now"; exit 1; }
the files of the two downloads: the same
first download, signed: verified
second download: Hash mismatch for '.cache/huggingface/download/config.json.metadata'
second download, .cache left out when signing: verified
SEEN
echo "as described: the signature of one download refuses the next download of the same commit"
