"""A replica's drain: that it was taken out of the Service, since when and why, and how it is noted.

Read by the view of a replica, written with its workload object; the rollout decides about it. Pure.
"""

import json
import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["Cause", "Drain", "drain_text", "parse_drain"]

Cause = Literal["ScaleDown", "Rollout"]


@dataclass(frozen=True, slots=True)
class Drain:
    """A replica was taken out of the Service; ``since`` in seconds since the epoch."""

    cause: Cause
    since: float


def drain_text(drain: Drain | None) -> str:
    """The annotation of a drain, "" for none."""
    if drain is None:
        return ""
    return json.dumps({"cause": drain.cause, "since": round(drain.since)})


def parse_drain(text: str) -> Drain | None:
    """The drain annotation; a damaged one counts as none, and the drain begins anew."""
    if not text:
        return None
    try:
        raw = json.loads(text)
        cause, since = raw["cause"], float(raw["since"])
        known = cause in {"ScaleDown", "Rollout"} and math.isfinite(since)
        return Drain(cause, since) if known else None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
