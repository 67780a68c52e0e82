"""Which pull of a node goes on, which one begins: a pure decision over its wishes.

One model at a time, with all connections, in the order the operator lists them: the first is
served soonest. A failed one is tried again after a growing pause and does not hold up the others.
Called by agent/plan.py.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from escadre.agent.wish import Wish
from escadre.backoff import pause
from escadre.reasons import Reason

__all__ = ["Decision", "FailedPull", "after_failure", "choose"]

_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0


@dataclass(frozen=True, slots=True)
class FailedPull:
    """Failed tries in a row of one wish, and why the last one ended.

    Args:
        wish: what was tried.
        reason: why the last try ended.
        message: the same in words.
        since: RFC 3339; when a try first ended for that reason.
        count: tries.
        not_before: on the caller's monotonic clock; when to try again.
    """

    wish: Wish
    reason: Reason
    message: str
    since: str
    count: int = 1
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now.

    Args:
        start: pull this.
        cancel: call off the running pull: it is no longer wanted, or no longer from there.
        wake_at: look again then, if nothing happens before.
    """

    start: Wish | None = None
    cancel: bool = False
    wake_at: float | None = None


def choose(
    wishes: Sequence[Wish],
    verified: AbstractSet[str],
    running: Wish | None,
    failures: Mapping[str, FailedPull],
    now: float,
) -> Decision:
    """Decide what to start or call off.

    Args:
        wishes: what the operator wants here, first first; one without a mirror is left for later.
        verified: digests that are verified.
        running: the pull under way.
        failures: by digest; one of a wish that has changed since does not count.
        now: monotonic seconds.
    """
    if running:
        return Decision(cancel=not any(wish.pulls_as(running) for wish in wishes))
    pauses: list[float] = []
    for wish in wishes:
        if wish.digest in verified or wish.source is None:
            continue
        failure = failures.get(wish.digest)
        if not failure or not failure.wish.pulls_as(wish) or failure.not_before <= now:
            return Decision(start=wish)
        pauses.append(failure.not_before)
    return Decision(wake_at=min(pauses, default=None))


def after_failure(
    last: FailedPull, before: FailedPull | None, now: float, delay: float | None
) -> FailedPull:
    """The record of one more failed try.

    Args:
        last: that try alone.
        before: the tries before it, of whichever wish for these weights.
        now: monotonic seconds.
        delay: seconds that the mirror asked to be left alone, if it did.
    """
    same = before if before and before.wish.pulls_as(last.wish) else None
    count = same.count + 1 if same else 1
    least = pause(count, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE)
    return FailedPull(
        wish=last.wish,
        reason=last.reason,
        message=last.message,
        since=before.since if before and before.reason == last.reason else last.since,
        count=count,
        not_before=now + max(least, delay or 0.0),
    )
