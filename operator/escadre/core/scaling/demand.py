"""Demand: the requests that an engine runs and holds, and the work it has done so far.

clients/engine.py reads it, the demand loop dates and keeps it as a `Reading`, core/scaling decides
on it. What is missing is None, never zero. Pure.
"""

from dataclasses import dataclass, replace
from typing import Final

__all__ = ["NO_WORK", "QUIET_READINGS", "UNKNOWN", "Demand", "Reading", "Sums", "Work", "read"]

# Two, because a request may be on its way to a pod that has just left the Service.
QUIET_READINGS: Final = 2


@dataclass(frozen=True, slots=True)
class Sums:
    """A histogram of durations by its sum and its count, over all ranks of an engine."""

    seconds: float
    count: int


@dataclass(frozen=True, slots=True)
class Work:
    """What an engine has counted since its start, None for what it does not tell.

    A number below the one before tells of another engine: no difference is taken over it.

    Args:
        prompt_tokens: of prompts that are through, those found in the prefix cache among them.
            A prompt counts when its first token is there, as a whole: it stands still in between.
        generation_tokens: that were sampled.
        answered: requests that ended by themselves. One that its client gives up counts nowhere
            (findings/vllm-abort-uncounted.sh).
        preemptions: requests thrown out of a full cache, to be computed again.
        prefill: seconds from a request's scheduling to its first token, of requests that ended.
        prefilled_tokens: what was computed of the prompts of those same requests: without what the
            prefix cache had.
        gaps: seconds between a token and the next.
    """

    prompt_tokens: int | None = None
    generation_tokens: int | None = None
    answered: int | None = None
    preemptions: int | None = None
    prefill: Sums | None = None
    prefilled_tokens: int | None = None
    gaps: Sums | None = None


NO_WORK: Final = Work()


@dataclass(frozen=True, slots=True)
class Demand:
    """Requests, None where a number is not known.

    Args:
        running: in the engine's batches.
        waiting: for capacity, where the engine tells why requests wait; else all that wait.
        at: when they were counted, in seconds since the epoch; None for never.
        cache_usage: the share of the cache that is taken, from 0 to 1, the mean of its ranks.
        work: the counters of the same moment, None where none were read.
        old_names: metrics that were found only under a name that vLLM has given up.
        taken: requests that the process in front of the engine has let in and not answered, by
            mounted/escadre_drain.py; those that the engine has not told of are in here alone.
    """

    running: int | None
    waiting: int | None
    at: float | None = None
    cache_usage: float | None = None
    work: Work | None = None
    old_names: tuple[str, ...] = ()
    taken: int | None = None

    @property
    def requests(self) -> int | None:
        """All of them, None when one of the numbers is unknown."""
        if self.running is None or self.waiting is None:
            return None
        return self.running + self.waiting

    @property
    def awaited(self) -> "Demand":
        """The same with all who wait on it, when it hangs: also those whom it has not told of."""
        unseen = (self.taken or 0) - (self.running or 0)
        return replace(self, waiting=max(self.waiting or 0, unseen))


UNKNOWN: Final = Demand(None, None)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the last scrapes of one engine tell.

    ``quiet`` counts those in a row, since it left the Service, with nothing running or waiting.
    ``failure`` says why the last one gave no numbers; the numbers before it stay. ``moved`` is when
    some number was last seen to differ from the one before, or there was nothing to do; None for
    never.
    """

    demand: Demand
    quiet: int = 0
    failure: str = ""
    moved: float | None = None

    @property
    def idle(self) -> bool:
        """Whether the engine has nothing left to finish."""
        return self.quiet >= QUIET_READINGS

    def failed(self, message: str) -> "Reading":
        """After a scrape that failed: nothing new is known."""
        return replace(self, failure=message)


def read(before: Reading | None, demand: Demand, *, leaving: bool) -> Reading:
    """After a scrape that went well; ``leaving``: the Service sends the engine nothing any more."""
    moved = demand.at if before is None or _moves(before.demand, demand) else before.moved
    if not leaving or demand.requests != 0:
        return Reading(demand, moved=moved)
    return Reading(demand, quiet=(before.quiet if before else 0) + 1, moved=moved)


def _moves(before: Demand, now: Demand) -> bool:
    """Whether anything of an engine is other than it was, or it has nothing to do.

    Without counters nobody knows: it may answer one request after the other, always as many.
    Requests that come to an engine and are given up there are no work of it.
    """
    if now.work is None or not (now.requests or now.taken):
        return True
    return replace(before, at=now.at, taken=now.taken) != now
