"""In what state a replica is for scaling: whether it is read, and gets on with its work. Pure.

vLLM answers /health and /metrics with 200 while its engine core hangs (vllm-project/vllm#36960,
#53130), and every number stays as it was last. Tokens alone tell too little: those of a prompt
count when all of it is through. In between the share of the cache moves with every chunk. An engine
with work of which nothing at all moves, for three times as long as its longest prompt takes, is
stuck. It is no supply at once; it is replaced only when it answers no request of one token either.

What it was given last it may never have told of: one that hangs at its first request, or at the
first after it was idle, says that it has none. Those the process in front of it has counted. A
client that reads slowly keeps a request there too, so such an engine is only tried, not stuck.

state/demand.py asks for the samples of a decision, controller/stuck.py for whom to try.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from escadre.core.scaling.demand import UNKNOWN, Demand, Reading

__all__ = [
    "Hung",
    "Patience",
    "Phase",
    "most_at_once",
    "phase_read",
    "prompt_seconds",
    "stands_still",
    "told_hung",
]

Phase = Literal["unread", "ready", "unscrapable", "stuck"]

_PROMPTS: Final = 3
# Kernels that are compiled at their first use, a busy host: an engine may stand so long.
_LEAST_SECONDS: Final = 60.0
# Tokens per second where nobody knows: a large model on few old GPUs.
_SLOWEST_PREFILL: Final = 500.0
_SHARE: Final = 10  # one of so many engines is replaced at once, and one always


@dataclass(frozen=True, slots=True)
class Hung:
    """An engine that was stuck and gave no token either: since when it stands, and how it failed.

    ``since`` in seconds since the epoch. ``held`` is what it holds as long as it is there.
    """

    since: float
    message: str
    held: Demand = UNKNOWN


@dataclass(frozen=True, slots=True)
class Patience:
    """How old a reading may be, and how long an engine with work may stand still; seconds."""

    stale_seconds: float
    still_seconds: float

    @staticmethod
    def of(stale_seconds: float, prompt: float) -> "Patience":
        """``prompt``: how long its longest prompt takes, `prompt_seconds`."""
        return Patience(stale_seconds, max(_LEAST_SECONDS, _PROMPTS * prompt))


def prompt_seconds(max_model_len: int, prefill_tokens_per_second: float | None) -> float:
    """How long the longest prompt of an engine takes, alone."""
    return max_model_len / (prefill_tokens_per_second or _SLOWEST_PREFILL)


def phase_read(reading: Reading | None, patience: Patience, now: float) -> Phase:
    """The state of a replica that is ready, by what was read of it last."""
    if reading is None:
        return "unread"
    at = reading.demand.at
    if reading.demand.requests is None or at is None or at < now - patience.stale_seconds:
        return "unscrapable"
    stuck = reading.demand.requests and stands_still(reading, patience.still_seconds)
    return "stuck" if stuck else "ready"


def stands_still(reading: Reading, seconds: float) -> bool:
    """Whether an engine had work and did none of it, from one reading to another so much later."""
    at, moved = reading.demand.at, reading.moved
    return at is not None and moved is not None and at - moved >= seconds


def most_at_once(engines: int) -> int:
    """How many of so many engines may be replaced at a time for being stuck.

    Should all seem to hang, the fault is more likely ours or the network's.
    """
    return max(1, engines // _SHARE)


def told_hung(one: Hung) -> str:
    """What its reader has to know."""
    since = datetime.fromtimestamp(one.since, UTC).strftime("%H:%M:%S UTC")
    return f"has work and does none since {since}, and {one.message}; it is made anew"
