"""Why a deployment has the number of replicas that it has: for `escadre status` and `escadre why`.

Everything is of status.scaling; a status of an earlier version has its last change alone. Pure.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType

from escadre.api.deployment import ModelDeploymentSpec, ModelDeploymentStatus
from escadre.api.idle import idle_parts
from escadre.api.scalingstatus import LastScale, ScalingStatus
from escadre.cli.shared.marks import heading
from escadre.cli.shared.sparkline import Sparkline
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import count, duration, time_text

__all__ = ["scaling_view"]

_CHANGES: Final = 5  # told one by one
_SOURCES: Final = {
    "Fixed": "fixed",
    "Prior": "reckoned from layout and GPU",
    "Learned": "measured",
}
_UNREAD: Final = "no queue is read: the spec cannot be read"
_LIMITS: Final = {
    "minReplicas": "minReplicas",
    "schedule": "a schedule",
    "maxReplicas": "maxReplicas",
    "spareReplicas": "spareReplicas, on top of what demand asks for",
    "approval": "the approval does not hold",
    "unknown": "metrics are missing",
    "stabilisation": "the stabilisation time",
    "restart": "the operator watches since a short time",
    "load": "replicas that load or have just loaded",
    "redistribution": "fewer could not take the requests",
    "bursts": "bursts of the last hour were over before a replica had loaded",
    "gpus": "no GPUs",
}


def scaling_view(
    spec: ModelDeploymentSpec | None, status: ModelDeploymentStatus, now: float
) -> list[RenderableType]:
    """A heading and what stands below it; nothing where nothing is told."""
    told, changes = status.scaling, status.changes
    if told is None and not changes:
        return []
    desired = status.replicas.desired if status.replicas else 0
    table = grid("", "")
    for title, cell in _rows(spec, told, changes, now):
        table.add_row(f"  {title}", cell)
    return [heading(f"Scaling  {count(desired, 'replica')} wanted"), Group(table)]


def _rows(
    spec: ModelDeploymentSpec | None,
    told: ScalingStatus | None,
    changes: Sequence[LastScale],
    now: float,
) -> Iterator[tuple[str, RenderableType]]:
    if told is not None:
        unread = spec is None and told.demand is None
        yield "demand", _UNREAD if unread else _demand(told)
        yield from _capacities(told)
        yield from _limited(told)
        if told.min_replicas is not None:
            yield "at least", _floor(spec, told)
        for words in idle_parts(spec) if spec else ():
            yield "note", words
        if told.next_change_at is not None:
            left = duration(told.next_change_at.timestamp() - now)
            words = f"{time_text(told.next_change_at)} at the earliest (in {left})"
            yield "next change", words if told.next_change_at.timestamp() > now else "any time now"
        if told.denied is not None:
            yield "denied", told.denied.message
        yield from _read(told)
    if len(changes) > 1 and told is not None:  # one bar a change, and one of now
        latest = changes[-1]
        demand = latest.demand if told.demand is None else told.demand
        yield "past demand", Sparkline([*(one.demand for one in changes), demand])
        yield "past number", Sparkline([*(one.to for one in changes), latest.to])
    for number, one in enumerate(reversed(changes[-_CHANGES:])):
        yield ("changes" if number == 0 else ""), _change(one)


def _demand(told: ScalingStatus) -> str:
    if told.demand is None:
        return "unknown until a ready replica has been read"
    words = count(told.demand, "request")
    if told.requests_per_minute is not None:
        words += f", {told.requests_per_minute:,} a minute"
    if told.desired_before_limits is not None:
        words += f" ask for {count(told.desired_before_limits, 'replica')}"
    if told.signal == "Partial":
        words += "; some ready replica tells nothing"
    if told.signal_age_seconds is not None:
        words += f"; read {duration(told.signal_age_seconds)} ago"
    return words


def _capacities(told: ScalingStatus) -> Iterator[tuple[str, str]]:
    """Of one, and what makes it more."""
    if told.capacity is not None:
        yield "capacity", _capacity(told)
    if told.shared_percent:
        evenly = f"evenly to {told.shared_percent} %"
        yield "shared", f"{evenly}, where 0 % is by chance as a Service chooses"


def _capacity(told: ScalingStatus) -> str:
    each = f"{told.capacity:,} at once per replica"
    if told.capacity_per_minute is not None:
        each += f", {told.capacity_per_minute:,} a minute"
    return f"{each}, {_SOURCES[told.capacity_from]}" if told.capacity_from else each


def _limited(told: ScalingStatus) -> Iterator[tuple[str, str]]:
    if told.limits:
        yield "held by", "; ".join(_LIMITS.get(name, name) for name in told.limits)


def _read(told: ScalingStatus) -> Iterator[tuple[str, str]]:
    """What there is to say of the engines' own numbers."""
    if told.skew is not None:
        skew, most = told.skew, count(told.skew.fullest_requests, "request")
        full = f"replica {skew.fullest} has {most}"
        idle = f"replica {skew.emptiest} has {skew.emptiest_requests:,}"
        yield "skew", f"{full}, {idle}: clients keep their connections"
    if told.metric_aliases:
        yield "metrics", f"by names that vLLM has given up: {', '.join(told.metric_aliases)}"


def _floor(spec: ModelDeploymentSpec | None, told: ScalingStatus) -> str:
    words = count(told.min_replicas or 0, "replica")
    if told.schedule is None:
        return words
    windows = (spec.scaling.schedules or []) if spec else []
    if told.schedule >= len(windows):
        return f"{words}, by schedules[{told.schedule}]"
    return f"{words}, by schedules[{told.schedule}]: {windows[told.schedule].words}"


def _change(one: LastScale) -> str:
    return (
        f"{time_text(one.at)}  {one.from_:,} → {one.to:,}  {one.reason}, demand "
        f"{one.demand:,}, {one.target:,} each"
    )
