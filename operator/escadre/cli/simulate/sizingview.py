"""What `escadre simulate --users` prints: what each use needs, as a range, and as JSON. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from rich.console import Group
from rich.text import Text

from escadre.cli.layout.legal import with_notes
from escadre.cli.shared.tables import grid
from escadre.cli.simulate.asked import Asked
from escadre.cli.simulate.judged import Judged
from escadre.cli.simulate.replicas import Planned
from escadre.core.counting import count
from escadre.core.simulation.people import PEAK_TO_MEAN, SOURCE_OF_PEAKS, Needed
from escadre.core.simulation.sizing import DRAWS, REQUESTS, SECONDS, Cut, Held, Use, fits

__all__ = ["Sized", "Told", "document", "view"]

_MANY: Final = 100  # requests per second, from which on a part of one does not count


@dataclass(frozen=True, slots=True)
class Sized:
    """A use, how much of it was played, requests per second at its busiest time as a range.

    Then what a replica holds at least and at most and what that takes: None where too few requests
    meet the objective at any rate.
    """

    use: Use
    cut: Cut
    busiest: tuple[float, float]
    held: tuple[Held, Held] | None
    span: tuple[Needed, Needed] | None


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked, by which objective, and what each use needs."""

    asked: Asked
    planned: Planned
    judged: Judged
    sized: tuple[Sized, ...]

    @property
    def users(self) -> int:
        """People."""
        return self.asked.users or 1

    @property
    def notes(self) -> tuple[str, ...]:
        """What the numbers rest on."""
        return (
            *_missed(self),
            *_beyond(self),
            *_shortened(self),
            *_bases(self),
            *_counted(self.planned),
            *_left_out(self.planned),
            self.judged.note,
        )


def view(told: Told) -> Group:
    """A column for each use, so that a line has room for millions; then what this rests on."""
    table = grid("", *(one.use.name.upper() for one in told.sized))
    for name, cell in _ROWS:
        table.add_row(name, *(cell(one) for one in told.sized))
    head = (
        Text(f"{told.planned.repository} on {told.planned.summary}"),
        Text(f"{_people(told)}; {_share(told)} of requests: {told.judged.words}"),
    )
    return with_notes([*head, Text(), table], (*told.notes, *told.planned.notes))


def _people(told: Told) -> str:
    return count(told.users, "person", "people")


def _share(told: Told) -> str:
    return f"{100 * told.judged.level.share:g} %"


def _peak(one: Sized) -> str:
    return _rates(*one.busiest)


def _holds(one: Sized) -> str:
    return _rates(*(at.per_second for at in one.held)) if one.held else "-"


def _rates(low: float, high: float) -> str:
    if high < 1:
        return f"{_range(_two(low), _two(high))}/s"
    digits = ",.1f" if high < _MANY else ",.0f"
    return f"{_range(format(low, digits), format(high, digits))}/s"


def _two(rate: float) -> str:
    """To two digits, and with no exponent: its dash would look like that of a range."""
    return f"{Decimal(f'{rate:.2g}'):f}"


def _in_flight(one: Sized) -> str:
    if one.held is None:
        return "-"
    numbers = sorted(each.in_flight for each in one.held)
    return _range(*(f"{number:,}" for number in numbers))


def _counts(number: Callable[[Needed], int]) -> Callable[[Sized], str]:
    def cell(one: Sized) -> str:
        return _range(*(f"{number(at):,}" for at in one.span)) if one.span else "-"

    return cell


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low}-{high}"


_ROWS: Final[tuple[tuple[str, Callable[[Sized], str]], ...]] = (
    ("at the busiest time", _peak),
    ("one replica holds", _holds),
    ("in flight there", _in_flight),
    ("replicas", _counts(lambda at: at.replicas)),
    ("GPUs", _counts(lambda at: at.gpus)),
    ("nodes", _counts(lambda at: at.nodes)),
)


def _missed(told: Told) -> Iterator[str]:
    model = told.planned.model
    for one in told.sized:
        if one.held is not None:
            continue
        if fits(model, one.use):
            yield (
                f"{one.use.name}: fewer than {_share(told)} of requests meet the objective, "
                "however few come."
            )
        else:
            yield (
                f"{one.use.name}: a mean request has {one.use.prompt + one.use.answer:,} tokens, "
                f"more than the context of {model.max_model_len:,} or the cache of "
                f"{model.cache_tokens:,}."
            )


def _beyond(told: Told) -> Iterator[str]:
    """Where the deployment would not be allowed what it takes."""
    most = told.planned.scaled.bounds.maximum
    for one in told.sized if told.planned.name else ():
        if one.span is not None and one.span[1].replicas > most:
            needed = one.span[1].replicas
            yield f"{one.use.name}: maxReplicas is {most}; up to {needed:,} are needed."


def _shortened(told: Told) -> Iterator[str]:
    """Where the figures are of shorter requests than people's are."""
    model = told.planned.model
    for one in told.sized:
        if one.held is not None and (percent := round(100 * one.cut.share)):
            yield (
                f"{one.use.name}: {percent} % of its requests are longer than the context of "
                f"{model.max_model_len:,} or the cache of {model.cache_tokens:,} and were played "
                f"cut to it, so {one.cut.prompt:,.0f} tokens of prompt on the mean; whole they "
                "take more replicas, or are refused."
            )


def _bases(told: Told) -> Iterator[str]:
    said = "as --requests-per-day says" if told.asked.requests_per_day else "an assumption"
    for one in told.sized:
        yield (
            f"{one.use.name}: {count(one.use.requests_per_day, 'request')} a day of each person, "
            f"{said}; {one.use.prompt:,} tokens of prompt and {one.use.answer:,} of answer, means "
            f"of {one.use.source}."
        )
    low, high = PEAK_TO_MEAN
    yield f"The busiest time has {low:g} to {high:g} times the mean of a day ({SOURCE_OF_PEAKS})."
    yield (
        f"One replica was played with {DRAWS} draws of {REQUESTS:,} requests (or {SECONDS:g} s of "
        f"them, if more), from --seed {told.asked.seed}: what the least and the most of them held. "
        "The fewest replicas are for the flattest day by the most, the most for the steepest by "
        "the least."
    )


def _counted(planned: Planned) -> Iterator[str]:
    """What of nodes and deployment is in the numbers."""
    largest, smallest = planned.nodes
    gpus = f"{largest}" if largest == smallest else f"{smallest} to {largest}"
    yield f"Nodes have {gpus} GPUs, as --nodes says, and there are as many as it takes."
    terms, name = planned.terms, planned.name
    if name:
        yield (
            f"{name}: minReplicas {terms.minimum} and spareReplicas {terms.spare} are in the "
            "numbers."
        )
    if not terms.spare:
        yield "No replica is spare for one that fails or loads."


def _left_out(planned: Planned) -> Iterator[str]:
    """What of the deployment is not: it says when and by what replicas come, not how many."""
    scaling, names = planned.spec.scaling, []
    if scaling.target_queue_depth is not None:
        names.append(f"targetQueueDepth {scaling.target_queue_depth}")
    if scaling.schedules:
        names.append("schedules")
    if names:
        yield (
            f"{planned.name}: not used here: {' and '.join(names)}; a replica counts with what it "
            "holds by the objective, at the busiest time."
        )


def document(told: Told) -> dict[str, Any]:
    """The same as JSON; ranges as [least, most], null where the objective is missed."""
    return {
        "users": told.users,
        "nodes": told.asked.nodes,
        "deployment": told.planned.document,
        "objective": told.judged.document,
        "seed": told.asked.seed,
        "draws": DRAWS,
        "uses": [_use(one) for one in told.sized],
        "notes": [*told.notes, *told.planned.notes],
    }


def _use(one: Sized) -> dict[str, Any]:
    held, span = one.held, one.span
    return {
        "use": one.use.name,
        "promptTokens": one.use.prompt,
        "answerTokens": one.use.answer,
        "cutShare": _three(one.cut.share),
        "playedPromptTokens": round(one.cut.prompt),
        "requestsPerDay": one.use.requests_per_day,
        "source": one.use.source,
        "requestsPerSecondOfReplica": [_three(at.per_second) for at in held] if held else None,
        "inFlightOfReplica": sorted(at.in_flight for at in held) if held else None,
        "peakRequestsPerSecond": [_three(at) for at in one.busiest],
        "replicas": [at.replicas for at in span] if span else None,
        "gpus": [at.gpus for at in span] if span else None,
        "nodes": [at.nodes for at in span] if span else None,
    }


def _three(value: float) -> float:
    return float(f"{value:.3g}")
