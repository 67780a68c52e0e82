"""What `escadre plan` prints: prospects in, rich renderables and JSON out. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre import reasons
from escadre.cli.plan import numbers, speeds
from escadre.cli.plan.picture import Picture
from escadre.cli.plan.pictureview import picture_view
from escadre.cli.plan.prospect import Prospect
from escadre.cli.plan.tried import Tried
from escadre.cli.shared.marks import heading, mark
from escadre.cli.shared.tables import grid
from escadre.cli.shared.weightsview import weights_table
from escadre.cli.shared.words import count
from escadre.cli.status.view import layout_table, layout_title
from escadre.core.fleet.plan import DeploymentPlan, SlotPlan
from escadre.reasons import Reason

__all__ = ["document", "replaces_words", "spread_words", "view"]


Told = Sequence[tuple[Prospect, Tried | None]]


def view(told: Told, picture: Picture, notes: Sequence[str]) -> Group:
    """Every wish, who has which GPU, then what could not be seen."""
    parts: list[RenderableType] = []
    for each, tried in told:
        parts += [_one(each, tried), Text()]
    if picture.rows:
        parts += [picture_view(picture), Text()]
    parts += [Text(f"Note: {note}") for note in notes]
    parts.append(Text("Nothing was written."))
    return Group(*parts)


def _one(each: Prospect, tried: Tried | None) -> Group:
    wish = each.wish
    known = "exists" if each.exists else "new"
    rejected = tried.rejected if tried else each.plan.rejected if each.plan else ()
    parts: list[RenderableType] = [heading(f"{wish.namespace}/{wish.name} ({known})")]
    head, plan = grid("", "", ""), each.plan
    for row in (_approval_row(each), *(_rows(each, plan) if plan else ())):
        head.add_row(*row)
    parts.append(head)
    if plan is None:
        return Group(*parts)
    if each.layout is not None:
        target = each.wish.spec.scaling.target_queue_depth
        parts += [Text(), heading("Layout"), layout_table(each.layout, rejected, target)]
    elif rejected:
        parts += [Text(), heading("Layouts tried"), layout_table(None, rejected, None)]
    if tried and tried.others:
        parts += [Text(), heading("Layouts that come after it"), _others(tried)]
    if tried and tried.speeds:
        parts += [
            Text(),
            heading("Speed, estimated, in tokens per second"),
            speeds.view(tried.speeds),
        ]
    if plan.slots:
        parts += [Text(), heading("Replicas"), _slots(each, plan)]
    if plan.weights:
        parts += [Text(), heading("Weights"), weights_table(plan.weights)]
    return Group(*parts)


def _approval_row(each: Prospect) -> tuple[Text, str, str]:
    if each.approval_reason == reasons.APPROVED:
        return mark("ok"), "approval", each.approval_message
    if each.assumed:
        return mark("waiting" if each.plan else "blocked"), "approval", each.approval_message
    words = f"{each.approval_reason}: {each.approval_message}"
    if each.plan is not None:
        words += " (planned below as if it held)"
    return mark("blocked"), "approval", _with_step(words, each.approval_reason)


def _rows(each: Prospect, plan: DeploymentPlan) -> Iterator[tuple[Text, str, str]]:
    """What becomes of the wish, a line each."""
    yield _layout_row(each, plan)
    yield from _engine_rows(each, plan)
    for state, title, words in numbers.rows(each.numbers) if each.numbers else ():
        yield mark(state), title, words
    for words in each.full:
        full = reasons.STORE_FULL
        yield mark("blocked"), "weights", _with_step(f"{full}: {words}", full)


def _others(tried: Tried) -> Table:
    table = grid("", "")
    for one in tried.others:
        held = f"{one.capacity.key_value_tokens:,} tokens of cache"
        table.add_row(f"  {one.summary}", f"{count(one.gpus, 'GPU')} of {one.product}, {held}")
    return table


def _layout_row(each: Prospect, plan: DeploymentPlan) -> tuple[Text, str, str]:
    if plan.layout is not None:
        words = layout_title(each.layout) if each.layout else plan.layout.summary
        return mark("ok"), "layout", words
    return (
        mark("blocked"),
        "layout",
        _with_step(f"{_name(plan.reason)}: {plan.message}", plan.reason),
    )


def _name(reason: Reason | None) -> str:
    return reason.name if reason else ""


def _with_step(words: str, reason: Reason | None) -> str:
    """The words and the next step of the reason; a message of a condition may end with it."""
    if reason is None or not reason.next_step:
        return words
    return f"{words.removesuffix('.')}. Next: {reason.next_step}"


def _replicas_row(each: Prospect, plan: DeploymentPlan) -> tuple[Text, str, str]:
    placed = sum(slot.node is not None for slot in plan.slots)
    if plan.layout is None or each.numbers is None:
        return mark("waiting"), "replicas", "wait for a layout"
    every = count(max(len(plan.slots), each.numbers.bounds.minimum), "replica")
    words = f"{placed:,} of {every} with a node; {numbers.range_words(each.numbers)}"
    if placed < len(plan.slots):
        return mark("blocked"), "replicas", f"{words}. {plan.reason}: {plan.message}"
    return mark("ok"), "replicas", words


def _engine_rows(each: Prospect, plan: DeploymentPlan) -> list[tuple[Text, str, str]]:
    """How many replicas, how they are spread, and what becomes of those that run."""
    rows = [_replicas_row(each, plan)]
    if words := spread_words(plan):
        rows.append((mark("waiting" if plan.together else "ok"), "spread", words))
    if each.replaces:
        rows.append((mark("waiting"), "replaces", replaces_words(each.replaces)))
    return rows


def _nodes(plan: DeploymentPlan) -> list[str]:
    return [slot.node for slot in plan.slots if slot.node is not None]


def spread_words(plan: DeploymentPlan) -> str:
    """What the loss of a node would take; "" for a replica that has nothing to be apart from."""
    if plan.together:
        return f"none: {plan.together}"
    nodes = Counter(_nodes(plan))
    if len(nodes) < 2:  # noqa: PLR2004 - apart are two
        return ""
    most = count(max(nodes.values()), "replica")
    return f"over {len(nodes)} nodes, at most {most} on one"


def replaces_words(number: int) -> str:
    """What becomes of so many engines that run now."""
    if number == 1:
        return "the only replica that runs: nothing answers from its end until the new one is ready"
    return f"{number:,} replicas that run, one after the other; the others answer meanwhile"


def _slots(each: Prospect, plan: DeploymentPlan) -> Table:
    """A line each; those in a row that lack the same have one together."""
    columns = ("", "REPLICA", "NODE", "LAYOUT", "WHY")
    table = grid(*columns, shorten=({"REPLICA": 16, "NODE": 14},))
    for (node, layout, why, _), alike in groupby(enumerate(plan.slots), key=_lot):
        first, *others = [slot.slot for _, slot in alike]
        many = f"{len(others) + 1:,} replicas, {first} to {others[-1]}: " if others else ""
        table.add_row(
            mark("ok" if node else "blocked"),
            f"{each.wish.name}-{first}",
            node or "-",
            layout,
            f"{many}{why}",
        )
    return table


def _lot(placed: tuple[int, SlotPlan]) -> tuple[str, str, str, int]:
    """What a line says; and a number that is the same only for neighbours without a node."""
    place, slot = placed
    layout = slot.layout.summary if slot.layout else "-"
    if slot.node:
        return slot.node, layout, "", slot.slot
    return "", layout, f"{slot.reason}: {slot.message}", slot.slot - place


def document(told: Told, picture: Picture, notes: Sequence[str]) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "items": [_document(each, tried) for each, tried in told],
        "nodes": [
            {
                "name": row.node,
                "product": row.product,
                "gpus": len(row.cells),
                "free": row.free,
                "alike": row.alike,
            }
            for row in picture.rows
        ],
        "notes": list(notes),
    }


def _document(each: Prospect, tried: Tried | None) -> dict[str, Any]:
    plan = each.plan
    return {
        "namespace": each.wish.namespace,
        "name": each.wish.name,
        "exists": each.exists,
        "fine": each.fine,
        "approval": {
            "name": each.wish.spec.approval,
            "reason": each.approval_reason.name,
            "message": each.approval_message,
        },
        "reason": _name(plan.reason if plan else each.approval_reason),
        "message": str(plan.message) if plan else each.approval_message,
        "layout": _dump(each.layout) if each.layout else None,
        "scaling": numbers.document(each.numbers) if each.numbers else None,
        "rejected": [
            _dump(one) for one in (tried.rejected if tried else plan.rejected if plan else ())
        ],
        "alternatives": [_dump(one) for one in tried.others] if tried else [],
        "speeds": speeds.document(tried.speeds) if tried else [],
        "replicas": [
            {"slot": s.slot, "node": s.node, "reason": _name(s.reason), "message": str(s.message)}
            for s in (plan.slots if plan else ())
        ],
        "weights": [_dump(one) for one in plan.weights] if plan else [],
        "spread": {
            "nodes": len(set(_nodes(plan))) if plan else 0,
            "message": str(plan.together) if plan else "",
        },
        "replaces": each.replaces,
        "storeFull": list(each.full),
    }


def _dump(model: Any) -> dict[str, Any]:
    dumped: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return dumped
