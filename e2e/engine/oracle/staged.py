"""Small models of few layers, for cutting into pipeline stages: one of each family.

Every size divides by everything, so that only the layers matter. Called by ``make oracle`` and
tests/core/engines/test_cut.py.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from e2e.engine.oracle.shapes import Shape, generous

__all__ = ["Staged", "staged"]

_FAMILIES: Final = (
    "dense",
    "dense, config.json",
    "experts, config.json",
    "latent attention, shared experts",
    "vision",
    "vision, config.json",
    "audio",
)
_LAYERS: Final = (1, 2, 3, 5, 8, 13)
_LAYOUTS: Final = tuple((size, stages) for size in (1, 2) for stages in range(1, 9))


@dataclass(frozen=True, slots=True)
class Staged:
    """A model of so many layers, and its files."""

    shape: Shape
    layers: int

    def asked(self) -> str:
        """A line for cut.py."""
        return json.dumps(
            {"model": self.shape.family, "files": self.shape.files, "layouts": _LAYOUTS}
        )


def staged() -> Iterator[Staged]:
    """Each family with each number of layers."""
    for family in _FAMILIES:
        for layers in _LAYERS:
            shape = generous(family)
            yield Staged(_with_layers(shape, layers), layers)


def _with_layers(shape: Shape, layers: int) -> Shape:
    document: dict[str, Any] = dict(shape.document)
    if shape.format == "mistral":
        document["n_layers"] = layers
    elif "text_config" in document:
        document["text_config"] = document["text_config"] | {"num_hidden_layers": layers}
    else:
        document["num_hidden_layers"] = layers
    return Shape(shape.family, shape.format, document, shape.beside)
