"""Where this build is worse, and why, as Markdown: the table of all cells, then that of the losses.

Why is said by what the numbers of the cell show, in one order; nobody writes it in by hand. Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from e2e.bench.autoscale.judge import OURS, Cell, Cost, How, Ratio

__all__ = ["Loss", "losses", "table"]

_ROOM: Final = 0.01  # of a share: about what eight seeds differ by


@dataclass(frozen=True, slots=True)
class Loss:
    """A cell in which our interval does not exclude 3 % more than the best tuned peer."""

    cell: Cell
    peer: Cost
    ratio: Ratio | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        ratio = self.ratio
        return {
            "cell": self.cell.name,
            "bestPeer": self.peer.contender,
            "settings": dict(self.peer.settings),
            "ratio": ratio and round(ratio.value, 4),
            "interval": ratio and [round(ratio.low, 4), round(ratio.high, 4)],
            "why": self.why,
        }

    @property
    def why(self) -> str:
        """The first that holds."""
        ours, share = self.cell.costs["tuned"].get(OURS), self.cell.share
        if ours is None:
            return "no setting of ours that was tried reached the level on the tuning half"
        if _mean(self.peer.attained) < share - _ROOM:
            return f"the peer kept only {_percent(self.peer)} there, we {_percent(ours)}"
        if self.ratio is not None and self.ratio.value <= 1:
            return "no worse on the mean; the seeds differ by more than 3 %"
        if self.peer.contender == "static":
            return "bursts shorter than a load: a number that stands is cheapest"
        if _mean(ours.attained) > _mean(self.peer.attained) + _ROOM / 2:
            return f"we attain more than is asked: {_percent(ours)}, the peer {_percent(self.peer)}"
        return f"our setting holds more replicas for it: {_settings(ours)}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _percent(cost: Cost) -> str:
    return f"{100 * _mean(cost.attained):.1f} %"


def losses(cells: Sequence[Cell]) -> list[Loss]:
    """The worst first."""
    found = []
    for cell in cells:
        peer = cell.best_peer("tuned")
        ratio = cell.over("tuned", peer)
        if peer is not None and (ratio is None or ratio.worse):
            found.append(Loss(cell, peer, ratio))
    return sorted(found, key=lambda one: -(one.ratio.value if one.ratio else math.inf))


def table(cells: Sequence[Cell], beside: Sequence[Cell]) -> str:
    """Every cell, then the losses."""
    lines = ["## Cells", "", *_cells(cells)]
    if beside:
        lines += ["", "## With one thing that is another than usual", "", *_cells(beside)]
    lines += ["", "## Where this build is worse than the best tuned peer", ""]
    lines += _losses(losses(cells))
    return "\n".join(lines) + "\n"


def _cells(cells: Sequence[Cell]) -> Iterator[str]:
    yield "| cell | escadre, defaults | of the best peer's | escadre, tuned | of the best peer's | best tuned peer | of the clairvoyant |"  # noqa: E501 - a line of a table
    yield "|---|---|---|---|---|---|---|"
    for cell in cells:
        default, tuned = (_ours(cell, how) for how in ("default", "tuned"))
        oracle = cell.over("tuned", cell.costs["tuned"].get("clairvoyant"))
        peer = cell.best_peer("tuned")
        best = f"{peer.contender}, {_percent(peer)}" if peer else "none reached it"
        row = (cell.name, *default, *tuned, best, _times(oracle))
        yield f"| {' | '.join(row)} |"


def _ours(cell: Cell, how: How) -> tuple[str, str]:
    cost = cell.costs[how].get(OURS)
    if cost is None:
        return "level not reached", "-"
    return f"{cost.mean:,.0f} GPU-s, {_percent(cost)}", _times(cell.over(how, cell.best_peer(how)))


def _times(ratio: Ratio | None) -> str:
    return "-" if ratio is None else f"{ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"


def _losses(found: Sequence[Loss]) -> Iterator[str]:
    if not found:
        yield "Nowhere."
        return
    yield "| cell | best tuned peer | its settings | ours over its | why |"
    yield "|---|---|---|---|---|"
    for one in found:
        row = (
            one.cell.name,
            one.peer.contender,
            _settings(one.peer),
            _times(one.ratio),
            one.why,
        )
        yield f"| {' | '.join(row)} |"


def _settings(cost: Cost) -> str:
    given: Mapping[str, Any] = cost.settings
    return ", ".join(f"{key} {value}" for key, value in given.items())
