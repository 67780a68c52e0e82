"""Who holds which GPU once everything is placed: rows of cells, one node a row. Pure.

What shows it is pictureview.py on a terminal, page.py in HTML. Cells tell how many GPUs of a node
somebody has; which device it will be, the kubelet decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from escadre.cli.shared.words import count
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.plan import DeploymentPlan

__all__ = ["FREE", "SIGNS", "Cell", "Owner", "Picture", "Row", "paint"]

FREE: Final = ""
FOREIGN: Final = "##"  # pods that are not ours
LEAVING: Final = "--"  # a replica that goes, and holds its GPUs yet
SIGNS: Final = {FOREIGN: "pods that are not escadre's", LEAVING: "replicas that leave"}
_LETTERS: Final = 26
_FEW: Final = 2
_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Cell:
    """A GPU; ``owner`` is the position of its deployment, None of what is no deployment's."""

    label: str = FREE
    owner: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A node, or with ``alike`` so many more that look the same."""

    node: str
    product: str
    cells: tuple[Cell, ...]
    closed: str = ""
    alike: int = 0

    @property
    def free(self) -> int:
        """GPUs that nobody has."""
        return sum(cell.label == FREE for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Owner:
    """A deployment with its letter."""

    key: DeploymentKey
    letter: str
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it; ``left_out`` nodes are not drawn."""

    rows: tuple[Row, ...]
    owners: tuple[Owner, ...]
    left_out: int = 0

    @property
    def labels(self) -> frozenset[str]:
        """Every label that a cell has."""
        return frozenset(cell.label for row in self.rows for cell in row.cells)


def paint(nodes: Iterable[NodeFacts], plans: Mapping[DeploymentKey, DeploymentPlan]) -> Picture:
    """The picture of a planned fleet; empty nodes that look alike are drawn twice at most."""
    owners = tuple(
        Owner(key, _letter(number), _words(plans[key])) for number, key in enumerate(sorted(plans))
    )
    held = _held(owners, plans)
    rows = [_row(node, held.get(node.name, [])) for node in sorted(nodes, key=lambda one: one.name)]
    shown = _folded(rows)
    left = sum(1 + row.alike for row in shown[_MOST:])
    return Picture(tuple(shown[:_MOST]), owners, left)


def _letter(number: int) -> str:
    """A to Z, then AA and on."""
    before, last = divmod(number, _LETTERS)
    return (_letter(before - 1) if before else "") + chr(ord("A") + last)


def _words(plan: DeploymentPlan) -> str:
    if plan.layout is None:
        return "no layout"
    placed, every = sum(slot.node is not None for slot in plan.slots), len(plan.slots)
    number = (
        count(every, "replica") if placed == every else f"{placed} of {count(every, 'replica')}"
    )
    return f"{number} of {plan.layout.summary}"


def _held(
    owners: Sequence[Owner], plans: Mapping[DeploymentKey, DeploymentPlan]
) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for position, owner in enumerate(owners):
        plan = plans[owner.key]
        for slot in plan.slots:
            if seats := slot.seats:
                cell = Cell(f"{owner.letter}{slot.slot}", position)
                found.setdefault(seats.node, []).extend([cell] * seats.gpus)
        for one in plan.facts.replicas:
            if one.leaving and (seats := one.seats):
                found.setdefault(seats.node, []).extend([Cell(LEAVING, position)] * seats.gpus)
    return found


def _row(node: NodeFacts, held: Sequence[Cell]) -> Row:
    cells = [*held, *[Cell(FOREIGN)] * node.gpus_foreign]
    cells += [Cell()] * (node.gpus - len(cells))
    return Row(node.name, node.product, tuple(cells), node.blocked)


def _folded(rows: Sequence[Row]) -> list[Row]:
    """Of empty nodes of one product and size the first ones, and how many more there are."""
    shown: list[Row] = []
    seen: dict[tuple[str, int, str], list[int]] = {}
    for row in rows:
        kind = (row.product, len(row.cells), row.closed)
        if row.free < len(row.cells):
            shown.append(row)
            continue
        places = seen.setdefault(kind, [])
        if len(places) < _FEW:
            places.append(len(shown))
            shown.append(row)
            continue
        last = shown[places[-1]]
        shown[places[-1]] = Row(last.node, last.product, last.cells, last.closed, last.alike + 1)
    return shown
