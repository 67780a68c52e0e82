"""What `escadre simulate --users` prints: what each use needs, as a range, and as JSON. Pure."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text

from escadre.cli.layout.legal import with_notes
from escadre.cli.shared.tables import grid
from escadre.cli.simulate.replicas import Planned
from escadre.cli.simulate.view import deployment_document
from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.sizing import (
    GPUS_PER_NODE,
    PEAK_TO_MEAN,
    SOURCE_OF_PEAKS,
    Held,
    Needed,
    Use,
)

__all__ = ["Sized", "Told", "document", "view"]


@dataclass(frozen=True, slots=True)
class Sized:
    """A use, what a replica holds of it, and the range; None where not even one request does."""

    use: Use
    held: Held | None
    span: tuple[Needed, Needed] | None


@dataclass(frozen=True, slots=True)
class Told:
    """Who asks, for which service level, and what each use needs."""

    planned: Planned
    users: int
    level: ServiceLevel
    sized: tuple[Sized, ...]


def view(told: Told) -> Group:
    """A line for each use, then what the numbers rest on."""
    level = told.level
    table = grid(
        "USE", "REQUESTS/S AT PEAK", "ONE REPLICA", "IN FLIGHT", "REPLICAS", "GPUS", "NODES"
    )
    for one in told.sized:
        table.add_row(one.use.name, *_cells(one))
    head = (
        f"{told.users:,} people on replicas of {told.planned.summary}; {100 * level.share:g} % of "
        f"requests with the first token in {level.time_to_first_token:g} s and then one each "
        f"{level.inter_token_latency:g} s"
    )
    return with_notes([Text(head), Text(), table], (*_bases(told), *told.planned.notes))


def _cells(one: Sized) -> tuple[str, ...]:
    if one.held is None or one.span is None:
        return ("", "too long for it, or misses the objective one at a time", "", "", "", "")
    low, high = one.span
    return (
        f"{low.per_second:,.2g}-{high.per_second:,.2g}"
        if high.per_second < 1
        else f"{low.per_second:,.1f}-{high.per_second:,.1f}",
        f"{one.held.per_second:.2g}/s",
        f"{one.held.in_flight:,}",
        _range(low.replicas, high.replicas),
        _range(low.gpus, high.gpus),
        _range(low.nodes, high.nodes),
    )


def _range(low: int, high: int) -> str:
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _bases(told: Told) -> tuple[str, ...]:
    uses = (
        f"{one.use.name}: {one.use.requests_per_day} requests a day of each person, an assumption; "
        f"{one.use.prompt:,} tokens of prompt and {one.use.answer:,} of answer, means of "
        f"{one.use.source}"
        for one in told.sized
    )
    low, high = PEAK_TO_MEAN
    peak = f"The busiest time has {low:g} to {high:g} times the mean of a day ({SOURCE_OF_PEAKS})"
    rest = f"Nodes have {GPUS_PER_NODE} GPUs; no replica is spare for one that fails or loads"
    return (*(f"{one}." for one in uses), f"{peak}.", f"{rest}.")


def document(told: Told) -> dict[str, Any]:
    """The same as JSON; ranges as [least, most], null where the objective is missed."""
    return {
        "deployment": deployment_document(told.planned),
        "users": told.users,
        "objective": {
            "firstTokenSeconds": told.level.time_to_first_token,
            "betweenTokensSeconds": told.level.inter_token_latency,
            "percentile": round(100 * told.level.share),
        },
        "uses": [_use(one) for one in told.sized],
        "notes": [*_bases(told), *told.planned.notes],
    }


def _use(one: Sized) -> dict[str, Any]:
    held, span = one.held, one.span
    return {
        "use": one.use.name,
        "promptTokens": one.use.prompt,
        "answerTokens": one.use.answer,
        "requestsPerDay": one.use.requests_per_day,
        "source": one.use.source,
        "requestsPerSecondOfReplica": float(f"{held.per_second:.3g}") if held else None,
        "inFlightOfReplica": held.in_flight if held else None,
        "peakRequestsPerSecond": [float(f"{at.per_second:.3g}") for at in span] if span else None,
        "replicas": [at.replicas for at in span] if span else None,
        "gpus": [at.gpus for at in span] if span else None,
        "nodes": [at.nodes for at in span] if span else None,
    }
