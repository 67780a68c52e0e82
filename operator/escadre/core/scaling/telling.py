"""How a decision about the number of replicas is told: its reason, its words, its limits. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from escadre import reasons
from escadre.core.counting import count
from escadre.core.listing import listed
from escadre.core.scaling.decision import Asked, LimitName, Limits, Seen
from escadre.core.scaling.skew import Skew
from escadre.reasons import Reason
from escadre.reasons.said import Amount, Said, joined, say

__all__ = ["Verdict", "limits_of", "message_of", "reason_of"]

_NAMED_SLOTS: Final = 5
_TWO_DIGITS: Final = 0.1  # requests per second: of fewer hundredths are told


class Verdict(NamedTuple):
    """One decision with everything its reason is told from.

    Args:
        base: the number of before within today's bounds.
        need: what demand and spare replicas ask for, before any bound.
        wanted: within the bounds, and not below what is unknown.
        held_by: what keeps it above ``wanted``.
        skew: that lasts.
    """

    seen: Seen
    asked: Asked
    limits: Limits
    before: int
    base: int
    need: int
    wanted: int
    desired: int
    held_by: tuple[LimitName, ...] = ()
    skew: Skew | None = None


def reason_of(verdict: Verdict) -> Reason:
    """Why the number is what it is."""
    desired, seen = verdict.desired, verdict.seen
    if desired != verdict.before:
        if desired == verdict.base:
            scheduled = verdict.limits.window is not None and desired > verdict.before
            return reasons.SCHEDULE_BEGAN if scheduled else reasons.BOUNDS_CHANGED
        return reasons.DEMAND_UP if desired > verdict.base else reasons.DEMAND_DOWN
    if max(verdict.wanted, verdict.base) > desired:
        return reasons.SCALING_HELD
    if not seen.serving:
        return reasons.NOT_SCALING
    if seen.missing:
        return reasons.METRICS_MISSING
    if verdict.need > verdict.limits.maximum:
        return reasons.AT_MAXIMUM
    return reasons.STABILISING if verdict.wanted < desired else reasons.AT_TARGET


def limits_of(verdict: Verdict) -> tuple[LimitName, ...]:
    """What made it another number than demand asks for."""
    found = list(verdict.held_by)
    if verdict.asked.kept > verdict.asked.followed:
        found.append("bursts")
    spareless = verdict.limits.clamp(verdict.need - verdict.limits.spare)
    if min(verdict.limits.clamp(verdict.need), verdict.desired) > spareless:
        found.append("spareReplicas")
    if verdict.need > verdict.limits.maximum:
        found.append("maxReplicas")
    if verdict.need < verdict.limits.minimum:
        found.append("minReplicas" if verdict.limits.window is None else "schedule")
    if verdict.seen.missing or not verdict.seen.whole:
        found.append("unknown")
    if max(verdict.wanted, verdict.base) > verdict.desired:
        found.append("approval")
    return tuple(found)


def message_of(verdict: Verdict, reason: Reason) -> Said:
    """The number, the demand it rests on, and what holds it."""
    limits = verdict.limits
    parts = [
        say(
            "{move}: {known}, bounds {minimum:,} to {maximum:,}",
            move=_move(verdict),
            known=_known(verdict),
            minimum=limits.minimum,
            maximum=limits.maximum,
        ),
        *_besides(verdict, reason),
    ]
    return joined("; ", parts)


def _known(verdict: Verdict) -> Said:
    asked, seen = verdict.asked, verdict.seen
    if not seen.serving:
        return say("demand is unknown until a ready replica has been read")
    if asked.capacity is None:
        return say(
            "{running:,} running and {waiting:,} waiting requests at {target:,} per replica ask "
            "for {asked:,}",
            running=seen.running,
            waiting=seen.waiting,
            target=verdict.limits.target,
            asked=asked.followed,
        )
    if asked.rate is None or asked.mix is None:
        return say(
            "{running:,} running and {waiting:,} waiting requests at {capacity} per replica ask "
            "for {asked:,}",
            running=seen.running,
            waiting=seen.waiting,
            capacity=Amount(_digits(asked.capacity.requests, 3)),
            asked=asked.followed,
        )
    if not seen.demand and asked.still:
        return say("no requests arrive")
    return say(
        "{rate} requests a second of {prompt} tokens and answers of {answer}, at {capacity} a "
        "second per replica, ask for {asked:,}",
        rate=Amount(_rate(asked.rate)),
        prompt=Amount(f"{asked.mix.prompt:,.0f}"),
        answer=Amount(f"{asked.mix.answer:,.0f}"),
        capacity=Amount(_rate(asked.capacity.rate)),
        asked=asked.followed,
    )


def _rate(per_second: float) -> str:
    return _digits(per_second, 2) if per_second >= _TWO_DIGITS else f"{per_second:.2f}"


def _digits(value: float, number: int) -> str:
    """So many digits that count, and never a power of ten."""
    return f"{float(f'{value:.{number}g}'):,g}"


def _besides(verdict: Verdict, reason: Reason) -> Iterator[Said]:
    if verdict.seen.missing:
        yield say(
            "metrics of ready replica {slots} are missing or stale, so the number does not go down",
            slots=_named(verdict.seen.missing),
        )
    yield from _uneven(verdict)
    yield from _out_of_reach(verdict)
    yield from _beside(verdict)
    if verdict.limits.spare:
        yield say("{spare} spare", spare=verdict.limits.spare)
    if reason == reasons.STABILISING:
        yield say(
            "down to {wanted} once no more was wanted for the stabilisation time",
            wanted=verdict.wanted,
        )
    limits = verdict.limits
    if limits.window is not None and verdict.desired == limits.minimum:
        words = "spec.scaling.schedules[{window}] keeps at least {minimum}"
        yield say(words, window=limits.window, minimum=limits.minimum)
    if reason == reasons.SCALING_HELD:
        yield say("the approval does not hold, so nothing grows")


def _out_of_reach(verdict: Verdict) -> Iterator[Said]:
    """A level that no number of replicas keeps: what requests alone have, against what is asked."""
    asked, service = verdict.asked, verdict.limits.service
    missed = asked.capacity.missed if asked.capacity else None
    if missed is None or service is None or asked.rate is None or asked.still:
        return
    level = service.level
    yield say(
        "the service level is out of reach with any number of replicas: {share} % of such requests "
        "have their first token within {first} s and {between} ms between tokens when each is "
        "alone, {level_first} s and {level_between} ms are asked",
        share=Amount(f"{100 * level.share:.0f}"),
        first=Amount(_digits(missed.first_token, 2)),
        between=Amount(_digits(1000 * missed.between_tokens, 2)),
        level_first=Amount(f"{level.time_to_first_token:g}"),
        level_between=Amount(f"{1000 * level.inter_token_latency:g}"),
    )


def _beside(verdict: Verdict) -> Iterator[Said]:
    """What demand is asked for with more or with less than it would be by itself."""
    asked = verdict.asked
    if asked.kept > asked.followed:
        words = "{kept} kept, for bursts of the last hour were over before a replica had loaded"
        yield say(words, kept=asked.kept)
    if verdict.limits.contended and asked.capacity is not None:
        yield say("another deployment waits for GPUs, so this one keeps only what it can bear")


def _uneven(verdict: Verdict) -> Iterator[Said]:
    """What of the demand no further replica changes.

    Which of several is the emptiest changes with every reading: a number, not worth a write.
    """
    stuck, skew = verdict.seen.stuck, verdict.skew
    if stuck:
        words = "replica {slots} has work and does none, and counts no more"
        yield say(words, slots=_named(stuck))
    if skew is not None:
        yield say(
            "replica {full} has {requests:,} requests and replica {idle} {few}: clients keep their "
            "connections, which no further replica changes",
            full=skew.full,
            requests=skew.requests,
            idle=skew.idle,
            few=skew.few,
        )


def _move(verdict: Verdict) -> Amount:
    number = verdict.desired
    if verdict.before != number:
        return Amount(f"{verdict.before} → {count(number, 'replica')}")
    return Amount(count(number, "replica"))


def _named(slots: Sequence[int]) -> str:
    return listed([str(slot) for slot in slots], _NAMED_SLOTS)
