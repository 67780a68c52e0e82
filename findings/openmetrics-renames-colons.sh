#!/usr/bin/env bash
# Tool: prometheus-client 0.26.0, the metrics library of Python servers.
#
# Expected: a metric has one name. A colon is legal in it in both formats, so queue:waiting is
# queue:waiting whoever asks, and a reader that prefers plain text by q= gets plain text.
# Seen: the name depends on the reader's Accept header. Asked for OpenMetrics without
# "escaping=allow-utf-8", which is what Prometheus 2 sends, the sample is called queue_waiting,
# while its HELP and TYPE lines still say queue:waiting. Prometheus 3 by default, and curl, see the
# colon. q= is not read: OpenMetrics at q=0.1 beats text at q=1.
#
# Why it matters on your own GPU nodes: engines put a colon into the names of their queue metrics.
# After moving a dashboard, an alert or an autoscaler's query between two versions of Prometheus it
# finds nothing, and no value is easily taken for zero requests; curl on the same port shows the
# metric under the name that was asked for. A reader of your own asks for text/plain.
#
# Output seen:
#   curl:                 queue:waiting 7.0
#   Prometheus 2:         queue_waiting 7.0
#   Prometheus 3:         queue:waiting 7.0
#   text preferred by q:  queue_waiting 7.0
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check prometheus-client==0.26.0

cat >finding.py <<'PY'
from urllib.request import ProxyHandler, Request, build_opener

from prometheus_client import CollectorRegistry, Gauge, start_http_server

READERS = {
    "curl:": "*/*",
    "Prometheus 2:": "application/openmetrics-text;version=1.0.0,"
    "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Prometheus 3:": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    "text preferred by q:": "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.1",
}

registry = CollectorRegistry()
Gauge("queue:waiting", "Requests that wait.", registry=registry).set(7)
server, thread = start_http_server(0, "127.0.0.1", registry)
direct = build_opener(ProxyHandler({}))
for reader, accept in READERS.items():
    page = Request(f"http://127.0.0.1:{server.server_port}/metrics", headers={"Accept": accept})
    lines = direct.open(page).read().decode().splitlines()
    assert "# TYPE queue:waiting gauge" in lines
    print(f"{reader:<21}", *(line for line in lines if not line.startswith("#")))
server.shutdown()
server.server_close()
thread.join()
PY

venv/bin/python finding.py | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: a name with a colon is written in another way now"; exit 1; }
curl:                 queue:waiting 7.0
Prometheus 2:         queue_waiting 7.0
Prometheus 3:         queue:waiting 7.0
text preferred by q:  queue_waiting 7.0
SEEN
echo "as described: a metric is called otherwise for another reader"
