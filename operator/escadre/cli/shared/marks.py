"""The marks and colours of the views. Pure; the meaning never hangs on the colour alone."""

from typing import Literal

from rich.text import Text

from escadre import reasons
from escadre.reasons import Kind, Reason

__all__ = ["State", "heading", "mark", "state_of", "styled"]

State = Literal["ok", "working", "blocked", "unknown", "waiting"]

_MARKS: dict[State, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "working": ("…", "yellow"),
    "blocked": ("✗", "red"),
    "unknown": ("?", "yellow"),
    "waiting": ("·", "bright_black"),
}
_STATUS: dict[str, str] = {"True": "green", "False": "red", "Unknown": "yellow"}


def mark(state: State) -> Text:
    """The mark of a state."""
    sign, style = _MARKS[state]
    return Text(sign, style=style)


def state_of(reason: Reason) -> State:
    """The state of what does not hold for that reason."""
    if reason is reasons.PENDING:
        return "unknown"
    return "working" if reason.kind is Kind.UNDER_WAY else "blocked"


def styled(status: str) -> Text:
    """True, False or Unknown in its colour."""
    return Text(status, style=_STATUS.get(status, ""))


def heading(text: str) -> Text:
    """Title of a part of a view."""
    return Text(text, style="bold")
