"""`escadre approve list`: every approval, whether it holds, and until when.

None is left out: one that is revoked, expired or cannot be read stands there with its reason.
Registered by command.py.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import typer
from rich.table import Table
from rich.text import Text

from escadre import reasons
from escadre.api.approval import ModelApprovalStatus
from escadre.api.wire import read
from escadre.cli.shared.marks import State, mark
from escadre.cli.shared.session import Output, OutputOption, Session, environment_of, run
from escadre.cli.shared.tables import grid
from escadre.cli.shared.target import ClusterCommand
from escadre.cli.shared.words import duration
from escadre.clients.kube import MODEL_APPROVALS, Json, list_all
from escadre.names import ConditionType

__all__ = ["register"]

_NONE: Final = "No ModelApproval; escadre approve draft writes one."


@dataclass(frozen=True, slots=True)
class _Line:
    """An approval in a list; ``left`` are the seconds until its end, None when it tells none.

    ``expiring`` is the operator's word: it knows how early the platform wants to be warned.
    """

    name: str
    holds: bool
    reason: str
    signatures: str
    end: str
    left: float | None
    expiring: bool

    @property
    def until(self) -> str:
        """The day of its end, and how soon that is."""
        day = self.end.partition("T")[0]
        if not self.soon or self.left is None:
            return day
        return f"{day} (expires in {duration(max(self.left, 0.0))})"

    @property
    def soon(self) -> bool:
        """Whether it holds, and its end is near."""
        return self.holds and self.expiring

    @property
    def state(self) -> State:
        """The mark of its line."""
        if not self.holds:
            return "blocked"
        return "waiting" if self.soon else "ok"


def register(group: typer.Typer) -> None:
    """Adds the command to `escadre approve`."""
    group.command(
        "list", cls=ClusterCommand, help="List every approval: whether it holds, and until when."
    )(_list)


def _list(context: typer.Context, output: OutputOption = Output.TABLE) -> None:
    environment = environment_of(context)

    async def work(session: Session) -> list[Json]:
        return await list_all(session.api, MODEL_APPROVALS)

    found = run(environment, work)
    now = environment.now()
    lines = sorted((_line(each, now) for each in found), key=lambda one: one.name)
    environment.answer(
        output,
        document=lambda: {"items": [_document(one) for one in lines]},
        view=lambda: _table(lines) if lines else Text(_NONE),
    )


def _line(body: Json, now: float) -> _Line:
    status = read(ModelApprovalStatus, body.get("status"))
    by_type = {one.type: one for one in status.conditions}
    told, expiring = by_type.get(ConditionType.APPROVED), by_type.get(ConditionType.EXPIRING)
    end = str((body.get("spec") or {}).get("notAfter") or "-")
    left = _left(end, now)
    holds, reason = told is not None and told.status == "True", told.reason.name if told else ""
    if holds and left is not None and left <= 0:  # the operator has not said so yet
        holds, reason = False, reasons.EXPIRED.name
    return _Line(
        body["metadata"]["name"],
        holds,
        reason or "-",
        status.summary or "",
        end,
        left,
        expiring is not None and expiring.status == "True",
    )


def _left(end: str, now: float) -> float | None:
    try:
        when = datetime.fromisoformat(end)
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now


def _table(lines: list[_Line]) -> Table:
    table = grid("", "NAME", "REASON", "SIGNED", "VALID UNTIL", shorten=({"NAME": 12},))
    for one in lines:
        table.add_row(mark(one.state), one.name, one.reason, one.signatures or "-", one.until)
    return table


def _document(one: _Line) -> dict[str, Any]:
    return {
        "name": one.name,
        "holds": one.holds,
        "reason": one.reason,
        "signatures": one.signatures,
        "notAfter": one.end,
        "expiresSoon": one.state == "waiting",
    }
