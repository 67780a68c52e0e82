"""The published start-ups of data/startups.json, as records. Pure but for reading the file."""

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from escadre.api.approval import Architecture
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.cards import cards_named
from escadre.core.engines.gpu_memory import visible_bytes

__all__ = ["DATA", "Startup", "document", "startups"]

DATA: Final = Path(__file__).parent / "data" / "startups.json"


@dataclass(frozen=True, slots=True)
class Startup:
    """One start of an engine that somebody published; amounts are GiB of one GPU."""

    row: dict[str, Any]
    architecture: Architecture
    visible: int

    @property
    def cache(self) -> float:
        """What the engine had left for its cache; negative where it lacked so much."""
        return float(self.row["cacheGiB"])

    @property
    def utilization(self) -> Fraction:
        """--gpu-memory-utilization, as it was written."""
        return Fraction(str(self.row["utilization"]))


def document() -> dict[str, Any]:
    """The file as it stands."""
    found: dict[str, Any] = json.loads(DATA.read_text(encoding="utf-8"))
    return found


def startups() -> tuple[Startup, ...]:
    """Every row with the facts of its model; where no visible memory was published, the card's."""
    told = document()
    return tuple(
        Startup(row, _architecture(told["models"][row["model"]]), _visible(row))
        for row in told["rows"]
    )


def _architecture(facts: dict[str, Any]) -> Architecture:
    known = {name: value for name, value in facts.items() if name != "architecture"}
    return Architecture.model_validate(
        known | {"format": "huggingface", "tokenizer": "huggingface"}
    )


def _visible(row: dict[str, Any]) -> int:
    if row["visibleGiB"] is not None:
        return int(Fraction(str(row["visibleGiB"])) * GIB)
    card = cards_named(row["gpu"])[0]
    return visible_bytes(card.product, card.mebibytes * MIB, None)
