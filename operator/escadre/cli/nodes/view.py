"""What `escadre nodes` prints: nodes in, rich renderables and JSON out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre.cli.nodes.occupied import NodeLine
from escadre.cli.shared.marks import State, heading, mark
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import bytes_text
from escadre.core.facts.node import Unused

__all__ = ["Apart", "document", "view"]


@dataclass(frozen=True, slots=True)
class Apart:
    """What stands beside the lines: nodes whose GPUs are not used, and what could not be seen."""

    unused: Sequence[Unused] = ()
    notes: Sequence[str] = ()


def view(lines: Sequence[NodeLine], apart: Apart) -> Group:
    """One line a node, then what does not hold, each once."""
    none = Text("No GPUNode: the operator makes one for each node that offers nvidia.com/gpu.")
    parts: list[RenderableType] = [_table(lines) if lines else none]
    faults = [(one.name, reason, words) for one in lines for reason, words in one.problems]
    faults += [(one.name, "not counted", one.why) for one in apart.unused]
    if faults:
        parts += [Text(), heading("Not well"), _faults(faults)]
    if apart.notes:
        parts += [Text(), *(Text(f"Note: {note}") for note in apart.notes)]
    return Group(*parts)


def _table(lines: Sequence[NodeLine]) -> Table:
    columns = ("", "NODE", "GPUS", "FREE", "DISK FREE", "WEIGHTS", "HELD BY")
    table = grid(*columns, shorten=({"GPUS": 8}, {"NODE": 14, "HELD BY": 12}))
    for one in lines:
        table.add_row(
            mark(_state(one)),
            one.name,
            _gpus(one),
            "?" if one.free is None else str(one.free),
            bytes_text(one.status.store.free_bytes) if one.status.store else "?",
            one.status.summary or "?",
            _holders(one) or "-",
        )
    return table


def _state(one: NodeLine) -> State:
    return "blocked" if one.problems else "ok"


def _gpus(one: NodeLine) -> str:
    """``8×H100-80GB-HBM3``, ``7/8×…`` where one is dead or not offered to pods."""
    product = one.product.removeprefix("NVIDIA-") or "?"
    if one.usable is None:
        return f"{one.total or '?'}×{product}"
    number = str(one.usable) if one.usable == one.total else f"{one.usable}/{one.total}"
    return f"{number}×{product}"


def _holders(one: NodeLine) -> str:
    words = [f"{name} ({gpus})" for name, gpus in one.holders]
    if one.foreign:
        words.append(f"other pods ({one.foreign})")
    return ", ".join(words)


def _faults(faults: Sequence[tuple[str, str, str]]) -> Table:
    table = grid("", "", "", "")
    for fault in faults:
        table.add_row(mark("blocked"), *fault)
    return table


def document(lines: Sequence[NodeLine], apart: Apart) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "items": [_document(one) for one in lines],
        "notCounted": [{"name": one.name, "message": one.why} for one in apart.unused],
        "notes": list(apart.notes),
    }


def _document(one: NodeLine) -> dict[str, Any]:
    store = one.status.store
    return {
        "name": one.name,
        "product": one.product,
        "gpus": {
            "total": one.total,
            "usable": one.usable,
            "free": one.free,
            "otherPods": one.foreign,
        },
        "holders": [_holder(name, gpus) for name, gpus in one.holders],
        "disk": {"capacityBytes": store.capacity_bytes, "freeBytes": store.free_bytes}
        if store
        else None,
        "weights": [
            each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in one.weights
        ],
        "problems": [{"reason": reason, "message": words} for reason, words in one.problems],
    }


def _holder(name: str, gpus: int) -> dict[str, Any]:
    namespace, _, deployment = name.partition("/")
    return {"namespace": namespace, "name": deployment, "gpus": gpus}
