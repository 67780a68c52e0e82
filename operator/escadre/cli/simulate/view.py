"""What `escadre simulate --trace` prints: an outcome in, rich renderables and JSON out. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text

from escadre.cli.layout.legal import with_notes
from escadre.cli.shared.tables import grid
from escadre.cli.simulate.asked import Asked
from escadre.cli.simulate.judged import Judged
from escadre.cli.simulate.picture import course, course_document, drawing
from escadre.cli.simulate.replicas import Planned
from escadre.core.counting import count
from escadre.core.scaling.target import beyond_the_batch
from escadre.core.simulation.outcome import Outcome
from escadre.core.simulation.setting import Scaled, Setting

__all__ = ["Told", "document", "picture", "view"]

_SHORT = 10  # seconds, below which a part of one counts


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked, what was played, and what came of it."""

    asked: Asked
    planned: Planned
    judged: Judged
    setting: Setting
    outcome: Outcome

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of it."""
        return (
            *_few(self),
            *_refused(self),
            *_unplayed(self),
            *_waiting(self.planned),
            self.judged.times_note,
        )


def view(told: Told) -> Group:
    """Who was served how, and what it took."""
    table = grid("", "", "")
    for row in (*_answers(told), *_supply(told)):
        table.add_row(*row)
    head = (Text(line) for line in _head(told))
    body = [table, Text(), *course(told.outcome.timeline)]
    return with_notes([*head, Text(), *body], (*told.notes, *told.planned.notes))


def picture(told: Told) -> str:
    """Its course as SVG."""
    first, *rest = _head(told)
    return drawing(told.outcome.timeline, first, "; ".join(rest))


def _head(told: Told) -> tuple[str, ...]:
    """What was played, in lines of less than 80 characters."""
    scaled, setting = told.planned.scaled, told.setting
    least, most = scaled.bounds.minimum, scaled.bounds.maximum
    bounds = count(most, "replica") if least == most else f"{least} to {count(most, 'replica')}"
    copies = f", {told.asked.copies} copies of the log" if told.asked.copies > 1 else ""
    return (
        f"{told.planned.repository} on {told.planned.summary}",
        f"{bounds} by {_aim(scaled)}",
        f"loads of {setting.cold.median:g} s, routing {setting.routing}, seed {setting.seed}"
        + copies,
    )


def _aim(scaled: Scaled) -> str:
    """What the number of replicas follows from."""
    if scaled.service is None:
        return f"targetQueueDepth {scaled.target}"
    level = scaled.service.level
    both = f"{level.time_to_first_token:g} s and {level.inter_token_latency:g} s"
    spare = f", {scaled.spare} spare" if scaled.spare else ""
    return f"serviceLevel {both} for {100 * level.share:g} %{spare}"


def _answers(told: Told) -> Iterator[tuple[str, str, str]]:
    answers = told.outcome.answers
    yield (
        "requests answered",
        f"{answers.requests:,}",
        f"in {_whole(told.outcome.supply.seconds)} s",
    )
    if answers.refused:
        yield "requests refused", f"{answers.refused:,}", "longer than the context or the cache"
    for percent, seconds in answers.first_token.items():
        yield f"first token, p{percent}", _seconds(seconds), ""
    yield "between tokens, p99", _seconds(answers.between_tokens_p99), ""
    share = "-" if answers.attained is None else f"{100 * answers.attained:.1f} %"
    yield "objective met", share, told.judged.words
    yield "preemptions", f"{answers.preemptions:,}", "computed twice, for the cache was full"


def _supply(told: Told) -> Iterator[tuple[str, str, str]]:
    supply = told.outcome.supply
    always = told.setting.scaled.bounds.maximum * told.setting.model.gpus * supply.seconds
    share = (
        f"{100 * supply.gpu_seconds / always:.0f} % of maxReplicas all the time" if always else ""
    )
    yield "replicas at most", f"{supply.most_replicas}", ""
    yield "GPU seconds", _whole(supply.gpu_seconds), share
    yield "loads", f"{supply.loads}", ""
    if supply.loads:
        yield "  wasted", f"{supply.wasted_loads}", "gone before a request came"
        yield "  unfinished", f"{supply.unfinished_loads}", "at the end, and no request had come"
    yield "changes", f"{supply.changes}", f"{supply.reversals} of them against the one before"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} s"


def _whole(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= _SHORT else f"{seconds:.3g}"


def _few(told: Told) -> Iterator[str]:
    """Of so few requests a percentile is none: the next one might be twice as slow."""
    requests = told.outcome.answers.requests
    slowest = [
        f"p{percent}"
        for percent in told.outcome.answers.first_token
        if requests and math.ceil(percent * requests / 100) == requests
    ]
    if slowest:
        names = " and ".join(filter(None, (", ".join(slowest[:-1]), slowest[-1])))
        yield f"Of {count(requests, 'request')} the slowest one is {names}; play a longer log."


def _refused(told: Told) -> Iterator[str]:
    answers, model = told.outcome.answers, told.planned.model
    if answers.refused:
        none = "" if answers.requests else "No request was played, so nothing says how it serves. "
        yield (
            f"{none}{answers.refused:,} of {count(answers.requests + answers.refused, 'request')} "
            f"were refused: longer than the context of {model.max_model_len:,} tokens or the cache "
            f"of {model.cache_tokens:,}. Times and objective are of the others."
        )


def _unplayed(told: Told) -> Iterator[str]:
    if told.planned.spec.scaling.schedules:
        yield "Its schedules are not played, for a log names no day: minReplicas is the least."


def _waiting(planned: Planned) -> Iterator[str]:
    target, at_once = planned.spec.scaling.target_queue_depth, planned.model.max_num_seqs
    if words := beyond_the_batch(target, at_once):
        yield f"{planned.name}: {words}."


def document(told: Told) -> dict[str, Any]:
    """The same as JSON: seconds, to six digits; null where there was nothing to measure."""
    answers, supply, setting = told.outcome.answers, told.outcome.supply, told.setting
    return {
        "trace": told.asked.trace,
        "scale": told.asked.copies,
        "nodes": told.asked.nodes,
        "deployment": told.planned.document,
        "objective": told.judged.document,
        "coldStartSeconds": setting.cold.median,
        "routing": setting.routing,
        "seed": setting.seed,
        "seconds": _six(supply.seconds),
        "requests": answers.requests,
        "refused": answers.refused,
        "firstTokenSeconds": {f"p{key}": _six(each) for key, each in answers.first_token.items()},
        "betweenTokensSecondsP99": _six(answers.between_tokens_p99),
        "attained": _six(answers.attained),
        "preemptions": answers.preemptions,
        "gpuSeconds": _six(supply.gpu_seconds),
        "mostReplicas": supply.most_replicas,
        "loads": supply.loads,
        "wastedLoads": supply.wasted_loads,
        "unfinishedLoads": supply.unfinished_loads,
        "changes": supply.changes,
        "reversals": supply.reversals,
        "course": course_document(told.outcome.timeline),
        "notes": [*told.notes, *told.planned.notes],
    }


def _six(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
