"""What a node pulls next: a pure decision over its wishes and what it has.

One model at a time, with all connections, in the order the operator lists them: the first is
served soonest. A failed one is tried again after a growing pause and does not hold up the others.
Called by agent/keeper.py at every change.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from escadre.api.gpunode import WantedWeights
from escadre.backoff import pause

__all__ = ["Decision", "Failure", "after_failure", "choose"]

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0


@dataclass(frozen=True, slots=True)
class Failure:
    """Failed tries in a row of one want."""

    want: WantedWeights
    count: int
    not_before: float  # on the caller's monotonic clock


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Args:
        start: pull this.
        cancel: call off the running pull: it is no longer wanted, or no longer from there.
        wake_at: look again then, if nothing happens before.
    """

    start: WantedWeights | None = None
    cancel: bool = False
    wake_at: float | None = None


def choose(
    wants: Sequence[WantedWeights],
    verified: AbstractSet[str],
    running: WantedWeights | None,
    failures: Mapping[str, Failure],
    now: float,
) -> Decision:
    """Decide what to start or call off.

    Args:
        wants: what the operator wants here, first first.
        verified: digests that are verified.
        running: the pull under way.
        failures: by digest; one of a want that has changed since does not count.
        now: monotonic seconds.
    """
    if running:
        return Decision(cancel=running not in wants)
    pauses: list[float] = []
    for want in wants:
        if want.manifest_digest in verified:
            continue
        failure = failures.get(want.manifest_digest)
        if not failure or failure.want != want or failure.not_before <= now:
            return Decision(start=want)
        pauses.append(failure.not_before)
    return Decision(wake_at=min(pauses, default=None))


def after_failure(
    want: WantedWeights, before: Failure | None, now: float, delay: float | None
) -> Failure:
    """The record of one more failed try; ``delay`` is what the mirror asked for, if it did."""
    count = before.count + 1 if before and before.want == want else 1
    least = pause(count, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
    return Failure(want, count, now + max(least, delay or 0.0))
