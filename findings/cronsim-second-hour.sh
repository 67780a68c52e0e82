#!/usr/bin/env bash
# Tool: cronsim 2.8, cron expressions as Debian's cron reads them, with the time zones of zoneinfo.
#
# Expected: the next start after a moment is later than that moment, and the last one before it is
# the nearest before it.
# Seen: on the night on which clocks are set back, in the second of the two equal hours, the next
# start is one that was 45 minutes ago, and the last one before the moment is that of the day before.
# cronsim takes the zone off its argument, and with it which of the two hours is meant. Once a year,
# for an hour, with fixed minutes and hours only ("* * * * *" is right).
#
# Why it matters on your own GPU nodes: what asks "is this window open" then closes it for up to an
# hour, and a timer armed for the next start fires at once, again and again. Ask from before and after
# the change, and take the first start that is later, the last that is not.
#
# Output seen:
#   cronsim 2.8, 30 2 * * * in Europe/Paris, asked at 2026-10-25T01:15:00+00:00
#   next: 2026-10-25T00:30:00+00:00, 45 minutes ago
#   last: 2026-10-24T00:30:00+00:00, a day before that
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check --no-deps "cronsim==2.8" "tzdata==2026.6"

cat >finding.py <<'PY'
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

asked = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
local = asked.astimezone(ZoneInfo("Europe/Paris"))
later = next(CronSim("30 2 * * *", local)).astimezone(UTC)
sooner = next(CronSim("30 2 * * *", local, reverse=True)).astimezone(UTC)
print(f"cronsim 2.8, 30 2 * * * in Europe/Paris, asked at {asked.isoformat()}")
print(f"next: {later.isoformat()}, {(asked - later).seconds // 60} minutes ago")
print(f"last: {sooner.isoformat()}, a day before that")
found = (later.isoformat(), sooner.isoformat())
if found != ("2026-10-25T00:30:00+00:00", "2026-10-24T00:30:00+00:00"):
    raise SystemExit("this has changed")
PY
venv/bin/python finding.py
