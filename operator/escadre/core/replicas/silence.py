"""An engine that was ready and answers its health check no more. Pure; state/observe.py asks.

Loading comes before the first Ready, so such an engine does not load: it hangs, and its kubelet
starts it again when the liveness probe has failed often enough. When that is follows from the
pod's own probes. What is not started again by then waits for somebody to look at its node.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

__all__ = ["Probe", "Silence", "silence", "words"]

# Beyond the probes and the grace: a tick of the probe, and what the kubelet and the API take.
_SLACK_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Numbers of a probe; ``seconds`` is from the first failure to the last one that counts."""

    period: int = 10
    failures: int = 3
    timeout: int = 1

    @property
    def seconds(self) -> int:
        """How long it takes to fail for good."""
        return self.period * self.failures


@dataclass(frozen=True, slots=True)
class Silence:
    """Since when it is not ready, and when it is started again: seconds since the epoch."""

    ready_until: float
    restart_at: float
    failures: int
    overdue_at: float


def silence(ready_until: float, readiness: Probe, liveness: Probe, grace: int) -> Silence:
    """What the probes make of a pod that turned unready at a time."""
    failing_since = ready_until - readiness.seconds
    restart_at = failing_since + liveness.seconds + liveness.timeout
    return Silence(ready_until, restart_at, liveness.failures, restart_at + grace + _SLACK_SECONDS)


def words(one: Silence, now: float) -> str:
    """What its reader has to know."""
    until = f"was ready until {_clock(one.ready_until)}, its health check fails since then"
    at = _clock(one.restart_at)
    if now >= one.overdue_at:
        return f"{until}, and its node should have started it again at {at} and did not"
    count = f"{one.failures} of {one.failures}"
    return f"{until}; its node starts it again at failure {count}, about {at}"


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")
