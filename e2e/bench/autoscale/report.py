"""The report as Markdown, in parts: what was run and the figures; all cells and the losses. Pure.

The parts stand in build/bench/autoscale.md between the same marks as in the documentation, where
``put_into`` replaces them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from e2e.bench.autoscale.judge import OURS, Cell, How, Ratio
from e2e.bench.autoscale.losses import Loss, losses, percent, settings_of

__all__ = ["Compared", "parts", "put_into", "whole"]


@dataclass(frozen=True, slots=True)
class Compared:
    """All that is told of a run.

    Args:
        beside: cells of the trials, which no figure is taken over.
        scenarios: how many there are at all, and ``trials`` likewise.
        not_run: why, by the name of what is not compared.
    """

    cells: Sequence[Cell]
    beside: Sequence[Cell]
    figures: Mapping[str, Any]
    seeds: int
    contenders: Sequence[str]
    scenarios: int
    trials: int
    not_run: Mapping[str, str] = field(default_factory=dict)


def parts(found: Compared) -> dict[str, str]:
    """By the name in their marks."""
    return {
        "figures": "\n".join([*_run(found), "", *_figures(found.figures, found.cells)]),
        "cells": "\n".join(_tables(found)),
    }


def whole(made: Mapping[str, str]) -> str:
    """All parts in their marks."""
    return (
        "\n\n".join(f"{_begin(name)}\n{text}\n{_end(name)}" for name, text in made.items()) + "\n"
    )


def put_into(page: str, made: Mapping[str, str]) -> str:
    """The page with these parts instead of those that it has.

    Raises:
        ValueError: it has no such part.
    """
    for name, text in made.items():
        before, begin, rest = page.partition(_begin(name))
        _, end, after = rest.partition(_end(name))
        if not end:
            raise ValueError(f"the page has no part {_begin(name)} … {_end(name)}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _begin(name: str) -> str:
    return f"<!-- {name}: python -m e2e.bench.autoscale --minutes 0 --page -->"


def _end(name: str) -> str:
    return f"<!-- end of {name} -->"


def _run(found: Compared) -> Iterator[str]:
    names = {cell.scenario for cell in found.cells}, {cell.scenario for cell in found.beside}
    cells, seen = len(found.cells), len(names[0])
    yield (
        f"{found.seeds} seeds; {cells} cells of {seen} of the {found.scenarios} scenarios, and "
        f"{len(names[1])} of the {found.trials} trials with one thing that is another than usual."
    )
    yield f"Contenders: {'; '.join(found.contenders)}."
    if not found.not_run:
        return
    by_why: dict[str, list[str]] = {}
    for name, why in found.not_run.items():
        by_why.setdefault(why, []).append(name)
    for why, every in by_why.items():
        yield f"Not run ({why}): {'; '.join(every)}."


def _figures(figures: Mapping[str, Any], cells: Sequence[Cell]) -> Iterator[str]:
    if not cells:
        yield "Nothing was compared."
        return
    reached, every = figures["reached"], len(cells)
    yield "| over the cells | |"
    yield "|---|---|"
    yield from _reached("escadre at defaults, and the best peer at defaults", reached["default"])
    beside = "the same without static, whose default is `maxReplicas`"
    yield from _reached(beside, reached["defaultBesideStatic"])
    yield from _reached("escadre tuned, and the best tuned peer", reached["tuned"])
    rows = {
        "escadre at defaults ÷ the best peer at defaults, median": "overBestDefault",
        "escadre tuned ÷ the best tuned peer, median": "overBestTuned",
        f"the same of the {figures['cellsKept']} cells in which both kept the level where they "
        "were judged": "overBestTunedThatKept",
        "escadre tuned ÷ the clairvoyant, median": "overOracle",
        "escadre tuned ÷ a bound below which nobody goes, median": "overLowerBound",
    }
    for words, name in rows.items():
        yield f"| {words} | {_number(figures[name])} |"
    better, worse = figures["cellsBetter"], figures["cellsWorse"]
    yield f"| the interval shows that escadre tuned is better | {better} of {every} |"
    yield f"| it does not exclude 3 % more than the best tuned peer | {worse} of {every} |"


def _number(value: float | None) -> str:
    return "escadre does not reach the level in most cells" if value is None else f"{value:.2f}"


def _reached(words: str, told: Mapping[str, Any]) -> Iterator[str]:
    ratio = told["ratioWhereBoth"]
    median = "" if ratio is None else f", median ratio {ratio:.2f}"
    yield (
        f"| {words}: reached the level | both {told['both']}{median}; escadre alone "
        f"{told['oursAlone']}; a peer alone {told['peersAlone']}; nobody {told['nobody']} |"
    )


def _tables(found: Compared) -> Iterator[str]:
    yield from ("### Cells", "")
    yield from _cells(found.cells)
    if found.beside:
        yield from ("", "### With one thing that is another than usual", "")
        yield from _cells(found.beside)
    yield from ("", "### Where this build is not better than the best tuned peer", "")
    yield from _losses(losses(found.cells))
    if found.beside:
        yield from ("", "In the trials:", "")
        yield from _losses(losses(found.beside))


def _cells(cells: Sequence[Cell]) -> Iterator[str]:
    yield (
        "| cell | escadre, defaults | of the best peer's | escadre, tuned | of the best peer's | "
        "best tuned peer | of the clairvoyant |"
    )
    yield "|---|---|---|---|---|---|---|"
    for cell in cells:
        oracle = cell.over("tuned", cell.costs["tuned"].get("clairvoyant"))
        peer = cell.best_peer("tuned")
        best = f"{peer.contender}, {percent(peer)}" if peer else "none reached it"
        row = (cell.name, *_ours(cell, "default"), *_ours(cell, "tuned"), best, _times(oracle))
        yield f"| {' | '.join(row)} |"


def _ours(cell: Cell, how: How) -> tuple[str, str]:
    cost, peer = cell.costs[how].get(OURS), cell.best_peer(how)
    if cost is None:
        reached = "none reached it" if peer is None else f"{peer.contender} reached it"
        return "level not reached", reached
    told = f"{cost.mean:,.0f} GPU-s, {percent(cost)}"
    return told, "no peer reached it" if peer is None else _times(cell.over(how, peer))


def _times(ratio: Ratio | None) -> str:
    return "-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def _losses(found: Sequence[Loss]) -> Iterator[str]:
    if not found:
        yield "Nowhere."
        return
    yield "| cell | | best tuned peer | its settings | ours over its | why |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        row = (
            one.cell.name,
            one.verdict,
            one.peer.contender,
            settings_of(one.peer),
            _times(one.ratio),
            one.why,
        )
        yield f"| {' | '.join(row)} |"
