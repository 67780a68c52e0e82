#!/usr/bin/env bash
# Library: kopf 1.45.2, the Python framework for Kubernetes operators.
#
# Expected: settings.watching.reconnect_backoff is, as its docstring says, "how long should a pause be
# between watch requests (to prevent API flooding)"; with settings.watching.server_timeout = 1 and a
# back-off of 3 a watch is asked for every 4 seconds.
# Seen: every second. A watch that ends at its timeout, as all of them do, or is cut off, is followed by the
# next one with no pause at all. The back-off is waited for only where everything is listed anew: after
# an ERROR event with code 410 (and, as its source says, where a listing failed).
#
# Why it matters to an operator behind a proxy or a load balancer that cuts long answers after some seconds:
# each of its watchers comes back at once, however large the setting is that promises to hold them back.
# What it does hold back is the listing after a 410: the one moment when the operator does not know what
# has happened, and should look as soon as it can.
#
# Output seen:
#   a watch ends at its timeout of 1 s        next watch after 1 s
#   a watch is cut off after 1 s              next watch after 1 s
#   a watch ends with 410, after 1 s          next watch after 4 s, all listed anew
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check kopf==1.45.2 aiohttp==3.14.5

cat >finding.py <<'PY'
import asyncio
import json
import logging
import threading
import time

import kopf
from aiohttp import web

LISTS, WATCHES = [], []
CUT, ENDS_WITH_410 = 3, 4  # which watch ends so; the first two end at their timeout
ENOUGH = asyncio.Event()
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}


def kind(plural, name):
    return {"name": plural, "singularName": name.lower(), "kind": name, "namespaced": False,
            "verbs": ["list", "watch"]}


async def groups(_):
    version = {"groupVersion": "example.com/v1", "version": "v1"}
    group = {"name": "example.com", "versions": [version], "preferredVersion": version}
    return web.json_response({"groups": [group]})


async def core(_):
    return web.json_response({"versions": ["v1"], "resources": [kind("namespaces", "Namespace")]})


async def own(_):
    return web.json_response({"resources": [kind("engines", "Engine")]})


async def engines(request):
    if "watch" not in request.query:
        LISTS.append(time.monotonic())
        return web.json_response({"kind": "EngineList", "apiVersion": "example.com/v1",
                                  "metadata": {"resourceVersion": "1"}, "items": []})
    WATCHES.append(time.monotonic())
    if len(WATCHES) > ENDS_WITH_410:
        ENOUGH.set()
    answer = web.StreamResponse()
    await answer.prepare(request)
    await asyncio.sleep(int(request.query["timeoutSeconds"]))  # as the API server does
    if len(WATCHES) == CUT:
        request.transport.abort()
    if len(WATCHES) >= ENDS_WITH_410:
        await answer.write(json.dumps(GONE).encode() + b"\n")
    return answer


@kopf.on.login()
def login(**_):
    return kopf.ConnectionInfo(server=f"http://127.0.0.1:{PORT}")


@kopf.on.startup()
def configure(settings, **_):
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.server_timeout = 1
    settings.watching.reconnect_backoff = 3


@kopf.on.event("example.com", "v1", "engines")
def seen(**_):
    pass


def after(number):
    return f"next watch after {WATCHES[number] - WATCHES[number - 1]:.0f} s"


async def main():
    global PORT
    api = web.Application()
    api.router.add_get("/api", core)
    api.router.add_get("/api/v1", core)
    api.router.add_get("/apis", groups)
    api.router.add_get("/apis/example.com/v1", own)
    api.router.add_get("/apis/example.com/v1/engines", engines)
    runner = web.AppRunner(api, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    PORT = runner.addresses[0][1]
    logging.getLogger().setLevel(logging.WARNING)
    stop = threading.Event()  # in a loop of its own: at its end kopf cancels all tasks there are
    operator = threading.Thread(target=kopf.run, kwargs={"clusterwide": True, "stop_flag": stop})
    operator.start()
    await asyncio.wait_for(ENOUGH.wait(), 30)
    stop.set()
    await asyncio.to_thread(operator.join)
    await runner.cleanup()
    again = ", all listed anew" if LISTS[-1] > WATCHES[ENDS_WITH_410 - 1] else ""
    print(f"a watch ends at its timeout of 1 s        {after(1)}")
    print(f"a watch is cut off after 1 s              {after(CUT)}")
    print(f"a watch ends with 410, after 1 s          {after(ENDS_WITH_410)}{again}")


asyncio.run(main())
PY

venv/bin/python finding.py 2>log | tee seen || { cat log; exit 1; }
diff seen - <<'SEEN' || { echo "CHANGED: kopf's back-off is waited for elsewhere now"; exit 1; }
a watch ends at its timeout of 1 s        next watch after 1 s
a watch is cut off after 1 s              next watch after 1 s
a watch ends with 410, after 1 s          next watch after 4 s, all listed anew
SEEN
echo "as described: reconnect_backoff is no pause between two watches"
