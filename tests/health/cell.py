"""One row of the table of truth: a state of life, and what everybody is to make of it."""

from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = [
    "DONE",
    "GOES_ON",
    "STAYS",
    "WAITS_FOR_PEOPLE",
    "Argo",
    "Cell",
    "Json",
    "Kstatus",
    "Meaning",
    "Progress",
]

Json = dict[str, Any]
Progress = Literal["-", "Reconciling", "Stalled"]
Kstatus = Literal["Current", "InProgress", "Failed", "Terminating"]
Argo = Literal["Healthy", "Progressing", "Suspended", "Degraded"]

Meaning = tuple[Progress, Kstatus, Argo]

DONE: Final[Meaning] = ("-", "Current", "Healthy")
GOES_ON: Final[Meaning] = ("Reconciling", "InProgress", "Progressing")
WAITS_FOR_PEOPLE: Final[Meaning] = ("Reconciling", "InProgress", "Suspended")
STAYS: Final[Meaning] = ("Stalled", "Failed", "Degraded")


@dataclass(frozen=True, slots=True)
class Cell:
    """What is so, the object that says it, and what is decided that it means.

    Args:
        what: the state of life, for the reader of docs/operate/health.md.
        found: the object, as the API server would hand it out.
        ready: status and reason of Ready.
        progress: which of Reconciling and Stalled is True.
        available: status of Available, "" for a kind that has none.
        kstatus: what kstatus is to say of it, and so Helm 4 and Flux.
        argo: what the shipped health script is to say of it.
    """

    what: str
    found: Json
    ready: str
    progress: Progress
    available: str
    kstatus: Kstatus
    argo: Argo
