"""What `escadre simulate --trace` prints: an outcome in, rich renderables and JSON out. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text

from escadre.cli.layout.legal import with_notes
from escadre.cli.shared import speeds
from escadre.cli.shared.tables import grid
from escadre.cli.simulate.picture import course, course_document, drawing
from escadre.cli.simulate.replicas import Planned
from escadre.core.counting import count
from escadre.core.scaling.service import ServiceLevel
from escadre.core.simulation.outcome import Outcome
from escadre.core.simulation.setting import Scaled, Setting

__all__ = ["Told", "deployment_document", "document", "picture", "view"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was played, and what came of it."""

    planned: Planned
    setting: Setting
    outcome: Outcome


def view(told: Told) -> Group:
    """Who was served how, and what it took."""
    table = grid("", "", "")
    for row in (*_answers(told), *_supply(told)):
        table.add_row(*row)
    body = [table, Text(), *course(told.outcome.timeline)]
    return with_notes([Text(_head(told)), Text(), *body], told.planned.notes)


def picture(told: Told) -> str:
    """Its course as SVG."""
    return drawing(told.outcome.timeline, _head(told))


def _head(told: Told) -> str:
    """What was played."""
    scaled, cold = told.setting.scaled, told.setting.cold
    bounds = f"{scaled.bounds.minimum} to {count(scaled.bounds.maximum, 'replica')}"
    return (
        f"{told.planned.summary}, {bounds}, {_aim(scaled)}, loads of "
        f"{cold.median:g} s, routing {told.setting.routing}, seed {told.setting.seed}"
    )


def _aim(scaled: Scaled) -> str:
    """What the number of replicas follows from."""
    if scaled.service is None:
        return f"targetQueueDepth {scaled.target}"
    level = scaled.service.level
    both = f"{level.time_to_first_token:g} s and {level.inter_token_latency:g} s"
    spare = f", {scaled.spare} spare" if scaled.spare else ""
    return f"service level {both} for {100 * level.share:g} %{spare}"


def _answers(told: Told) -> Iterator[tuple[str, str, str]]:
    answers, objective = told.outcome.answers, told.setting.objective
    yield "requests answered", f"{answers.requests:,}", f"in {told.outcome.supply.seconds:,.0f} s"
    if answers.refused:
        yield "requests refused", f"{answers.refused:,}", "longer than the context or the cache"
    for percent, seconds in answers.first_token.items():
        yield f"first token, p{percent}", _seconds(seconds), ""
    yield "between tokens, p99", _seconds(answers.between_tokens_p99), ""
    words = (
        f"first token in {objective.first_token:g} s, then one each {objective.between_tokens:g} s"
    )
    share = "-" if answers.attained is None else f"{100 * answers.attained:.1f} %"
    yield "objective met", share, words
    yield "preemptions", f"{answers.preemptions:,}", "computed twice, for the cache was full"


def _supply(told: Told) -> Iterator[tuple[str, str, str]]:
    supply = told.outcome.supply
    always = told.setting.scaled.bounds.maximum * told.setting.model.gpus * supply.seconds
    share = (
        f"{100 * supply.gpu_seconds / always:.0f} % of maxReplicas all the time" if always else ""
    )
    yield "replicas at most", f"{supply.most_replicas}", ""
    yield "GPU seconds", f"{supply.gpu_seconds:,.0f}", share
    yield "loads", f"{supply.loads}", f"{supply.wasted_loads} of them wasted: no request came"
    yield "changes", f"{supply.changes}", f"{supply.reversals} of them against the one before"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} s"


def document(told: Told) -> dict[str, Any]:
    """The same as JSON: seconds, to six digits; null where there was nothing to measure."""
    answers, supply, setting = told.outcome.answers, told.outcome.supply, told.setting
    return {
        "deployment": deployment_document(told.planned),
        "objective": {
            "firstTokenSeconds": setting.objective.first_token,
            "betweenTokensSeconds": setting.objective.between_tokens,
        },
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
        "changes": supply.changes,
        "reversals": supply.reversals,
        "course": course_document(told.outcome.timeline),
        "notes": list(told.planned.notes),
    }


def deployment_document(planned: Planned) -> dict[str, Any]:
    """The replica that was played, and how it is scaled."""
    scaled, model = planned.scaled, planned.model
    return {
        "layout": planned.summary,
        "gpus": model.gpus,
        "maxNumSeqs": model.max_num_seqs,
        "cacheBlocks": model.cache_blocks,
        "minReplicas": scaled.bounds.minimum,
        "maxReplicas": scaled.bounds.maximum,
        "targetQueueDepth": scaled.target if scaled.service is None else None,
        "serviceLevel": _level_document(scaled.service.level) if scaled.service else None,
        "spareReplicas": scaled.spare,
        "speed": speeds.document(model.speed),
    }


def _level_document(level: ServiceLevel) -> dict[str, int]:
    """As the spec has it."""
    return {
        "timeToFirstTokenSeconds": round(level.time_to_first_token),
        "interTokenLatencyMilliseconds": round(1000 * level.inter_token_latency),
        "percentile": round(100 * level.share),
    }


def _six(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
