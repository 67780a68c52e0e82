#!/usr/bin/env bash
# Tool: aiconfigurator-core 0.12.0, NVIDIA's planner of inference layouts, and the table of measured
# runs that its wheel carries (systems/silicon_sample.csv).
#
# Expected: each row is a measurement of its own, as its id says: all 5,221 ids differ.
# Seen: 1,386 of the rows stand for 690 measurements. They have the same settings and, to the last
# digit, the same times, under two or three ids: they are there from exports of several dates.
#
# Why it matters on your own GPU nodes: who fits a model of speed on one part of the table and judges
# it on the other judges it on what it was fitted on, and products that were exported more often
# weigh more. Drop rows that are equal in everything but id and silicon_data_source, before the split.
#
# Output seen:
#   aiconfigurator-core 0.12.0: 5221 rows, 5221 ids, 4525 measurements
#   measurements that stand there more than once: 690
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip download -q --disable-pip-version-check --no-deps "aiconfigurator-core==0.12.0"

cat >finding.py <<'PY'
import csv
import zipfile
from collections import Counter
from pathlib import Path

NAMES = {"id", "silicon_data_source"}
(wheel,) = Path().glob("*.whl")
with zipfile.ZipFile(wheel) as opened:
    text = opened.read("aiconfigurator_core/systems/silicon_sample.csv").decode()
rows = list(csv.DictReader(text.splitlines()))
ids = {row["id"] for row in rows}
runs = Counter(tuple(value for name, value in row.items() if name not in NAMES) for row in rows)
repeated = [number for number in runs.values() if number > 1]
print(f"aiconfigurator-core 0.12.0: {len(rows)} rows, {len(ids)} ids, {len(runs)} measurements")
print(f"measurements that stand there more than once: {len(repeated)}")
if (len(rows), len(ids), len(runs), len(repeated)) != (5221, 5221, 4525, 690):
    raise SystemExit("this has changed")
PY
venv/bin/python finding.py
