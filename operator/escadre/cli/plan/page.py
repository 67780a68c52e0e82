"""The plan as one HTML page: to be mailed, printed and looked at without any network.

Everything is in the page, its own policy forbids it to load anything, and every word that came
from a file is escaped. `escadre plan --html` writes it; all but the
writing is pure.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from escadre.api.deployment import LayoutStatus
from escadre.cli.plan.numbers import Numbers, range_words, rows
from escadre.cli.plan.picture import FREE, SIGNS, Cell, Picture, Row
from escadre.cli.plan.prospect import Prospect
from escadre.cli.plan.stylesheet import COLOURS, STYLE
from escadre.cli.plan.tried import Tried
from escadre.cli.plan.view import replaces_words, spread_words
from escadre.cli.shared.words import count
from escadre.cli.status.view import arithmetic, layout_title, refused
from escadre.core.decimals import bytes_text
from escadre.core.fleet.plan import DeploymentPlan
from escadre.errors import EscadreError

__all__ = ["Told", "page", "write_page"]

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"

Told = Sequence[tuple[Prospect, Tried]]


def page(told: Told, picture: Picture, notes: Sequence[str]) -> str:
    """The whole document."""
    placed = sum(prospect.fine for prospect, _ in told)
    lead = f"{placed} of {count(len(told), 'deployment')} can be placed."
    body = [
        "<h1>Plan</h1>",
        f"<p class=lead>{escape(lead)} Nothing was written.</p>",
        *_picture(picture),
        *(line for prospect, tried in told for line in _deployment(prospect, tried)),
        *_notes(notes),
    ]
    head = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        f"<title>Escadre plan</title><style>{STYLE}</style></head><body>",
    ]
    return "\n".join([*head, *body, "</body></html>", ""])


def write_page(path: Path, text: str) -> None:
    """Writes it; raises EscadreError saying where it could not."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EscadreError(f"--html {path}: {error.strerror or error}") from error


def _picture(picture: Picture) -> Iterator[str]:
    yield "<h2>GPUs</h2><table class=nodes>"
    for row in picture.rows:
        cells = "".join(_cell(cell) for cell in row.cells)
        yield (
            f"<tr><th scope=row>{escape(row.node)}</th><td>{cells}</td>"
            f"<td class=quiet>{escape(_words(row))}</td></tr>"
        )
    yield "</table>"
    if picture.left_out:
        yield f"<p class=quiet>{count(picture.left_out, 'more node')} not drawn</p>"
    yield "<ul class=legend>"
    for position, owner in enumerate(picture.owners):
        name = escape(f"{owner.key.namespace}/{owner.key.name}")
        yield f"<li>{_span(owner.letter, _colour(position))} {name} — {escape(owner.words)}</li>"
    for sign, words in SIGNS.items():
        if sign in picture.labels:
            yield f"<li>{_span(sign, 'other')} {words}</li>"
    yield "</ul>"


def _words(row: Row) -> str:
    words = [row.product, f"{row.free} of {count(len(row.cells), 'GPU')} free"]
    words += [f"closed: {row.closed}"] if row.closed else []
    words += [f"and {count(row.alike, 'node')} alike"] if row.alike else []
    return ", ".join(words)


def _cell(cell: Cell) -> str:
    if cell.label == FREE:
        return _span("·", "free")
    return _span(cell.label, "other" if cell.owner is None else _colour(cell.owner))


def _colour(owner: int) -> str:
    return f"c{owner % len(COLOURS)}"


def _span(label: str, kind: str) -> str:
    return f'<span class="gpu {kind}">{escape(label)}</span>'


def _deployment(prospect: Prospect, tried: Tried) -> Iterator[str]:
    wish, plan = prospect.wish, prospect.plan
    state = "placed" if prospect.fine else "not placed"
    yield f"<section><h2>{escape(f'{wish.namespace}/{wish.name}')} <small>{state}</small></h2>"
    if prospect.approval_message:
        yield f"<p>{escape(prospect.approval_message)}</p>"
    if plan is not None and not prospect.fine:
        reason = plan.reason.name if plan.reason else ""
        yield f"<p class=bad>{escape(f'{reason}: {plan.message}')}</p>"
    if prospect.layout is not None:
        yield from _layout(prospect.layout, wish.spec.scaling.target_queue_depth)
    if plan is not None and plan.slots:
        yield from _replicas(plan, prospect.replaces)
    if prospect.numbers is not None:
        yield from _numbers(prospect.numbers)
    yield from _rejected(tried)
    yield "</section>"


def _layout(layout: LayoutStatus, target: int | None) -> Iterator[str]:
    memory = layout.memory
    spare = memory.visible_bytes - memory.usable_bytes
    parts = (
        ("weights", memory.weights_bytes),
        ("overhead", memory.overhead_bytes),
        ("cache", memory.key_value_cache_bytes),
        ("spare", spare),
    )
    whole = max(1, memory.visible_bytes)
    bars = "".join(
        f'<span class={name} style="flex-grow:{amount * 1000 // whole}"'
        f' title="{name} {bytes_text(amount)}">{name}<br>{bytes_text(amount)}</span>'
        for name, amount in parts
    )
    yield f"<p><b>{escape(layout_title(layout))}</b></p><div class=memory>{bars}</div><dl>"
    for name, words in arithmetic(layout, target):
        yield f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>"
    yield "</dl>"


def _replicas(plan: DeploymentPlan, replaces: int) -> Iterator[str]:
    nodes = Counter(slot.node or "nowhere" for slot in plan.slots)
    words = ", ".join(
        f"{number:,} × {node}" if number > 1 else node for node, number in nodes.items()
    )
    yield f"<p>{count(len(plan.slots), 'replica')}: {escape(words)}</p>"
    if spread := spread_words(plan):
        yield f"<p>spread {escape(spread)}</p>"
    if replaces:
        yield f"<p>replaces {escape(replaces_words(replaces))}</p>"


def _numbers(numbers: Numbers) -> Iterator[str]:
    yield f"<dl><dt>number</dt><dd>{escape(range_words(numbers))}</dd>"
    for _, title, words in rows(numbers):
        yield f"<dt>{escape(title)}</dt><dd>{escape(words)}</dd>"
    yield "</dl>"


def _rejected(tried: Tried) -> Iterator[str]:
    if not tried.rejected and not tried.others:
        return
    yield "<h3>Also tried</h3><table class=tried>"
    for other in tried.others:
        yield f"<tr><td>{escape(other.summary)}</td><td>fits, and comes after it</td></tr>"
    for one in tried.rejected:
        which, why = refused(one)
        yield f"<tr><td>{escape(which)}</td><td>{escape(why)}</td></tr>"
    yield "</table>"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield "<h2>Notes</h2><ul>"
        yield from (f"<li>{escape(note)}</li>" for note in notes)
        yield "</ul>"
