"""The marks and colours of the views. Pure; the meaning never hangs on the colour alone."""

from typing import Final, Literal

from rich.text import Text

__all__ = ["WORKING", "State", "heading", "mark", "styled"]

State = Literal["ok", "working", "blocked", "unknown", "waiting"]

# Reasons of a condition that is not True while nothing is wrong: time alone mends them.
WORKING: Final = frozenset(
    {
        "Draining",
        "Loading",
        "NoReplicas",
        "NotScaling",
        "Progressing",
        "PullQueued",
        "Pulling",
        "RollingOut",
        "Stabilising",
        "WeightsWaiting",
    }
)
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


def styled(status: str) -> Text:
    """True, False or Unknown in its colour."""
    return Text(status, style=_STATUS.get(status, ""))


def heading(text: str) -> Text:
    """Title of a part of a view."""
    return Text(text, style="bold")
