"""One row of the table of truth: a state of life, and what everybody is to make of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from escadre.names import API_VERSION

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
    "cell",
    "stored",
    "unseen",
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


def stored(kind: str, status: Json, **meta: Any) -> Json:
    """An object of our kinds as the API server hands it out, in its first generation."""
    named = {"name": "one", "generation": 1, **meta}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": named, "status": status}


def cell(what: str, found: Json, ready: str, meaning: Meaning, available: str = "") -> Cell:
    """A cell by what its state means."""
    progress, kstatus, argo = meaning
    return Cell(what, found, ready, progress, available, kstatus, argo)


def unseen(kind: str, available: str = "") -> Cell:
    """An object that nobody looked at: it has what its CRD puts there."""
    path = Path(__file__).parents[2] / "crds" / f"{kind.lower()}s.yaml"
    version = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["versions"][0]
    status = version["schema"]["openAPIV3Schema"]["properties"]["status"]["default"]
    what = "just created: no operator has looked at it"
    meaning: Meaning = ("-", "InProgress", "Progressing")
    return cell(what, stored(kind, status), "Unknown Pending", meaning, available)
