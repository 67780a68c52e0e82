"""What `escadre mirror test` prints: findings in, rich renderables and JSON out. Pure."""

from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from escadre.cli.shared.failures import told
from escadre.cli.shared.marks import State, mark
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import bytes_text
from escadre.clients.sources.probe import Finding, Probed

__all__ = ["Tested", "document", "view"]


@dataclass(frozen=True, slots=True)
class Tested:
    """A mirror and what came out; ``of`` says whose files were asked for."""

    mirror: str
    type: str
    where: str
    of: str
    probed: Probed


def view(tested: Tested) -> Group:
    """The mirror, a line for each question, the figures, and the next step when one failed."""
    table = grid("", "ASKED FOR", "ANSWER")
    for one in tested.probed.findings:
        words = told(one.fault) if one.fault else one.words
        table.add_row(mark(_state(one, tested.probed)), one.subject, words)
    for what, figure in _figures(tested.probed):
        table.add_row(mark("waiting"), what, figure)
    parts: list[RenderableType] = [
        Text(f"ModelMirror {tested.mirror} ({tested.type}), {tested.where}; {tested.of}"),
        Text(),
        table,
    ]
    if (fault := tested.probed.fault) and fault.reason.next_step:
        parts += [Text(), Text(f"next: {fault.reason.next_step}")]
    return Group(*parts)


def _state(one: Finding, probed: Probed) -> State:
    """Without ranges a mirror works, only slower."""
    if one.fault:
        return "blocked"
    return "waiting" if one.subject == "ranges" and not probed.ranges else "ok"


def _figures(probed: Probed) -> list[tuple[str, str]]:
    figures = []
    if probed.first_byte_seconds is not None:
        seconds = probed.first_byte_seconds
        text = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
        figures.append(("first byte", f"after {text}"))
    if probed.bytes_per_second is not None:
        figures.append(("rate", f"{bytes_text(probed.bytes_per_second)}/s, one connection"))
    if probed.redirect_hosts:
        figures.append(("redirects", f"to {', '.join(probed.redirect_hosts)}"))
    return figures


def document(tested: Tested) -> dict[str, Any]:
    """The same for programs; what was not found out is null."""
    probed = tested.probed
    return {
        "mirror": tested.mirror,
        "type": tested.type,
        "where": tested.where,
        "of": tested.of,
        "ok": probed.fault is None,
        "ranges": probed.ranges,
        "firstByteSeconds": probed.first_byte_seconds,
        "bytesPerSecond": probed.bytes_per_second,
        "redirectHosts": list(probed.redirect_hosts),
        "findings": [
            {
                "subject": one.subject,
                "ok": one.fault is None,
                "reason": one.fault.reason.name if one.fault else None,
                "message": one.words,
            }
            for one in probed.findings
        ],
    }
