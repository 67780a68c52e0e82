"""Where this build is not better than the best tuned peer, and why.

Why is said by what the numbers of the cell show, in one order; nobody writes it in by hand. Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from e2e.bench.autoscale.judge import OURS, STATIC, Cell, Cost, Ratio, Tried

__all__ = ["Loss", "losses", "percent", "settings_of"]

_ROOM: Final = 0.01  # of a share: about what eight seeds differ by
_SAME: Final = 0.005  # of a ratio
_STANDING: Final = 1.0  # loads of a run, below which a number as good as stands


@dataclass(frozen=True, slots=True)
class Loss:
    """A cell in which the interval does not show that we are better."""

    cell: Cell
    peer: Cost
    ratio: Ratio | None

    @property
    def worse(self) -> bool:
        """Whether the interval does not exclude 3 % more than the peer."""
        return self.ratio is None or self.ratio.worse

    @property
    def verdict(self) -> str:
        """As the table has it."""
        if self.ratio is None:
            return "not reached"
        if not self.ratio.worse:
            return "as good"
        return "worse" if self.ratio.low > 1 else "may be worse"

    def document(self) -> dict[str, Any]:
        """As JSON."""
        ratio = self.ratio
        return {
            "cell": self.cell.name,
            "verdict": self.verdict,
            "bestPeer": self.peer.contender,
            "settings": dict(self.peer.settings),
            "ratio": ratio and round(ratio.value, 4),
            "interval": ratio and [round(ratio.low, 4), round(ratio.high, 4)],
            "why": self.why,
        }

    @property
    def why(self) -> str:
        """What there is to say."""
        ours = self.cell.costs["tuned"].get(OURS)
        if ours is None or self.ratio is None:
            return _unreached(self.cell)
        return (
            _alike(self.ratio, ours, self.peer)
            or _kept_less(self.cell.share, ours, self.peer)
            or "; ".join(_dearer(self.cell, ours, self.peer))
            or f"our setting holds more replicas for it: {settings_of(ours)}"
        )


def _unreached(cell: Cell) -> str:
    best = max((one.attained for one in cell.tried.get(OURS, ())), default=0.0)
    return (
        "no setting of ours that was tried reached the level on the tuning half; with its first "
        f"seed the best had {100 * best:.1f} %"
    )


def _alike(ratio: Ratio, ours: Cost, peer: Cost) -> str:
    standing = max(ours.loads, peer.loads) < _STANDING
    if standing and abs(ratio.value - 1) < _SAME:
        return f"both keep the same {_minimum(ours)} replicas from beginning to end"
    if not ratio.worse:
        return "within 3 %"
    return "no worse on the mean; the seeds differ by more than 3 %" if ratio.value <= 1 else ""


def _kept_less(share: float, ours: Cost, peer: Cost) -> str:
    if peer.share >= share - _ROOM:
        return ""
    return f"the peer kept only {percent(peer)} there, we {percent(ours)}"


def _dearer(cell: Cell, ours: Cost, peer: Cost) -> Iterator[str]:
    """What it went into."""
    if peer.contender == STATIC:
        yield "bursts shorter than a load: a number that stands is cheapest"
    if ours.share > peer.share + _ROOM / 2:
        yield f"we attain more than is asked: {percent(ours)}, the peer {percent(peer)}"
    few, many = _minimum(peer), _minimum(ours)
    if many > few:
        yield _with_fewer(few, cell.tried.get(OURS, ()))
    if ours.loads > peer.loads and ours.wasted > peer.wasted:
        yield (
            f"of our {ours.loads:.1f} loads in a run {ours.wasted:.1f} served nobody, "
            f"of the peer's {peer.loads:.1f} {peer.wasted:.1f}"
        )


def _with_fewer(few: int, tried: Sequence[Tried]) -> str:
    """Why no setting of ours with as small a minReplicas as the peer's was the one."""
    shares = [one.attained for one in tried if one.settings.get("minReplicas", 0) <= few]
    if not shares:
        return f"none of ours with minReplicas {few} or less was drawn"
    return (
        f"of ours with minReplicas {few} or less the best had {100 * max(shares):.1f} % with the "
        "first seed of the tuning half"
    )


def _minimum(cost: Cost) -> int:
    return int(cost.settings.get("minReplicas", 0))


def percent(cost: Cost) -> str:
    """Of the requests that met the objective."""
    return f"{100 * cost.share:.1f} %"


def settings_of(cost: Cost) -> str:
    """In one line."""
    given: Mapping[str, Any] = cost.settings
    return ", ".join(f"{key} {value}" for key, value in given.items())


def losses(cells: Sequence[Cell]) -> list[Loss]:
    """The worst first."""
    found = []
    for cell in cells:
        peer = cell.best_peer("tuned")
        ratio = cell.over("tuned", peer)
        if peer is not None and (ratio is None or not ratio.better):
            found.append(Loss(cell, peer, ratio))
    return sorted(found, key=lambda one: -(one.ratio.value if one.ratio else math.inf))
