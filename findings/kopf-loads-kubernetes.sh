#!/usr/bin/env bash
# Library: kopf 1.45.2, the Python framework for Kubernetes operators; kubernetes 37.0.2, the official client.
#
# Expected: kopf has a client of its own on aiohttp. An operator that hands it no objects and no credentials of
# another client loads no other client, installed or not.
# Seen: `import kopf` imports the official client wherever it is installed, for two of its types, which it would
# know if it were handed one. With it come requests, urllib3, oauthlib, dateutil and what those load.
#
# Why it matters: that is resident memory and start time of every operator in whose image something else needs
# the client. `sys.modules["kubernetes"] = None` around the import of kopf saves it: kopf is made to do without.
#
# Output seen:
#   the official client and requests are loaded: True True
#   the same when it seems not to be installed: False False
#   resident memory saved: more than 10 MB
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check kopf==1.45.2 aiohttp==3.14.5 kubernetes==37.0.2

cat >look.py <<'PY'
import sys

if "without" in sys.argv:
    sys.modules["kubernetes"] = None

import kopf  # noqa: F401

with open("/proc/self/status") as status:
    (resident,) = (int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
print(resident, *(one in sys.modules for one in ("kubernetes.client", "requests")))
PY

venv/bin/python look.py >/dev/null  # compiles
read -r resident loaded < <(venv/bin/python look.py)
read -r less left < <(venv/bin/python look.py without)
echo "resident: $resident and $less kB" >&2
{
  echo "the official client and requests are loaded: $loaded"
  echo "the same when it seems not to be installed: $left"
  ((resident - less <= 10000)) || echo "resident memory saved: more than 10 MB"
} | tee seen
diff seen - <<'SEEN' || { echo "CHANGED: kopf loads the client in another way now"; exit 1; }
the official client and requests are loaded: True True
the same when it seems not to be installed: False False
resident memory saved: more than 10 MB
SEEN
echo "as described: kopf loads the official client because it is there"
