#!/usr/bin/env bash
# Library: kubernetes 37.0.2, the official client; its asyncio half, kubernetes.aio, beside the other.
#
# Expected: both halves read a kubeconfig alike: a credential plugin (`exec`) is asked again when the token that it
# gave has ended, and a `tokenFile` is read again.
# Seen: with `kubernetes` the token of a plugin is a new one at each request once its expirationTimestamp is past.
# With `kubernetes.aio` load_kube_config sets no hook: the Configuration keeps the first token for ever. There is
# `kubernetes.aio.config.refresh_token`, a loop that a program has to run beside, which asks a plugin each minute
# and says nothing to a `tokenFile`. Neither half reads that file again.
#
# Why it matters: what watches for hours (a dashboard, a controller outside the cluster) ends with 401 after the
# quarter of an hour or the hour that tokens of managed clusters last, and works in every test that is shorter.
#
# Output seen:
#   plugin, kubernetes: 2 3 4
#   plugin, kubernetes.aio: 1 1 1
#   file, kubernetes: first first
#   file, kubernetes.aio: first first
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check kubernetes==37.0.2 aiohttp==3.14.5

cat >plugin.py <<'PY'
import json
import sys
from pathlib import Path

count = Path(sys.argv[1])
number = int(count.read_text() or 0) + 1
count.write_text(str(number))
status = {"token": str(number), "expirationTimestamp": "2026-01-01T00:00:00Z"}
print(json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}))
PY

cat >look.py <<'PY'
import asyncio
import json
import sys
from pathlib import Path

from kubernetes import client, config
from kubernetes.aio import client as aio_client
from kubernetes.aio import config as aio_config

HERE = Path.cwd()


def kubeconfig(user):
    path = HERE / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "x",
                "users": [{"name": "u", "user": user}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return str(path)


def loaded(path):
    settings = client.Configuration()
    config.load_kube_config(path, client_configuration=settings)
    return lambda: settings.get_api_key_with_prefix("BearerToken", alias="authorization")


async def aio_loaded(path):
    settings = aio_client.Configuration()
    await aio_config.load_kube_config(path, client_configuration=settings)
    return lambda: settings.get_api_key_with_prefix("BearerToken", alias="authorization")


def shown(values):
    return " ".join(str(value).removeprefix("Bearer ") for value in values)


async def main():
    count, token = HERE / "count", HERE / "token"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(HERE / "plugin.py"), str(count)],
        "interactiveMode": "Never",
    }
    for name, user in (("plugin", {"exec": plugin}), ("file", {"tokenFile": str(token)})):
        for half in ("kubernetes", "kubernetes.aio"):
            count.write_text("")
            token.write_text("first")
            path = kubeconfig(user)
            ask = loaded(path) if half == "kubernetes" else await aio_loaded(path)
            seen = []
            for _ in range(3 if name == "plugin" else 2):
                told = ask()
                seen.append(await told if asyncio.iscoroutine(told) else told)
                token.write_text("second")
            print(f"{name}, {half}: {shown(seen)}")


asyncio.run(main())
PY

venv/bin/python look.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: tokens are renewed in another way now"; exit 1; }
plugin, kubernetes: 2 3 4
plugin, kubernetes.aio: 1 1 1
file, kubernetes: first first
file, kubernetes.aio: first first
SEEN
echo "as described: kubernetes.aio keeps the first token that a plugin gave"
