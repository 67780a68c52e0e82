"""`escadre layout legal`: which tensor parallel sizes and stages vLLM accepts. Asks no cluster.

The rules are those of the operator (core/engines/legality.py). Registered by command.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from escadre.api.approval import Architecture
from escadre.cli.layout.catalogued import chosen_model
from escadre.cli.layout.gpu import card_named
from escadre.cli.layout.model import LocalModel
from escadre.cli.layout.sizes import read_sizes
from escadre.cli.layout.stages import StagedCommand, asked_stages
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.marks import mark
from escadre.cli.shared.session import Output, OutputOption, environment_of
from escadre.cli.shared.tables import grid
from escadre.core.engines.cards import Card
from escadre.core.engines.legality import (
    NATIVE_CAPABILITY,
    LayoutRefusal,
    check_dtype,
    check_method,
    check_size,
)
from escadre.core.engines.stages import check_stages

__all__ = [
    "ConfigOption",
    "Judged",
    "Verdict",
    "dtype_notes",
    "legal",
    "refused_by",
    "register",
    "with_notes",
    "words_of",
]

DTYPE_UNKNOWN = (
    "the type of the weights is not known without the weight files, so it was not held against "
    "the GPU's compute capability"
)
ConfigOption = Annotated[
    Path | None, typer.Option(help="config.json or params.json, or the folder of a model.")
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One size, and why vLLM would refuse it; None when it would not."""

    size: int
    refusal: LayoutRefusal | None


@dataclass(frozen=True, slots=True)
class Judged:
    """All sizes in so many pipeline stages, on a card if one was named, and what to say besides."""

    stages: int
    verdicts: tuple[Verdict, ...]
    card: Card | None
    notes: tuple[str, ...]


def register(group: typer.Typer) -> None:
    """Adds the command to `escadre layout`."""
    group.command(
        "legal",
        cls=StagedCommand,
        help="Show which tensor parallel sizes vLLM accepts for a model. Asks no cluster. "
        "Exits with 1 when one of the sizes is refused.",
    )(_legal)


def _legal(
    context: typer.Context,
    tensor_parallel: Annotated[
        str, typer.Option(help="Sizes: 8, or 1..96, or 1,2,4..8.", metavar="SIZES")
    ],
    config: ConfigOption = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Judge for this product too, e.g. NVIDIA-L40S or H100-80GB."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    sizes = read_sizes(tensor_parallel)
    stages = asked_stages(context)
    named = card_named(gpu) if gpu is not None else None
    card = named.card if named else None
    chosen = chosen_model(context, config)
    notes = [*chosen.notes, *([named.note] if named and named.note else [])]
    notes += dtype_notes(card, chosen.model)
    found = Judged(stages, legal(chosen.model, sizes, stages, card), card, tuple(notes))
    environment_of(context).answer(
        output, document=lambda: _document(found), view=lambda: _view(found)
    )
    raise typer.Exit(NOT_READY if any(one.refusal for one in found.verdicts) else OK)


def legal(
    model: LocalModel, sizes: Sequence[int], stages: int, card: Card | None
) -> tuple[Verdict, ...]:
    """Each size with the first rule it breaks: the card's own, those of a size, then the stages."""
    architecture = model.architecture(model.weight_bytes or 1)  # no rule looks at the bytes
    unable = refused_by(card, model, architecture)
    split = check_stages(architecture, stages)
    return tuple(Verdict(size, unable or check_size(architecture, size) or split) for size in sizes)


def refused_by(
    card: Card | None, model: LocalModel, architecture: Architecture
) -> LayoutRefusal | None:
    """Why the engine or the card cannot run the numbers of the weights; None where not known."""
    unserved = check_method(architecture, model.profile)
    if unserved or card is None or model.dtype is None:
        return unserved
    return check_dtype(architecture, card.capability, model.profile)


def dtype_notes(card: Card | None, model: LocalModel) -> tuple[str, ...]:
    """What there is to say of the type of the weights on that card."""
    if card is None:
        return ()
    if model.dtype is None:
        return (DTYPE_UNKNOWN,)
    if model.dtype == "bfloat16" and card.capability < NATIVE_CAPABILITY["bfloat16"]:
        return (f"{card.product} has no bfloat16: vLLM computes in float16 there, with a warning",)
    return ()


def with_notes(parts: Sequence[RenderableType], notes: Sequence[str]) -> Group:
    """The parts one under the other, and the notes at their end."""
    told = [Text(), *(Text(f"Note: {note}") for note in notes)] if notes else []
    return Group(*parts, *told)


def words_of(refusal: LayoutRefusal) -> str:
    """The message, and what vLLM prints."""
    return f"{refusal.message}; vLLM: {refusal.engine}" if refusal.engine else refusal.message


def _view(found: Judged) -> Group:
    staged = found.stages > 1
    table = grid("", "TP", *(["PP"] if staged else []), "LEGAL", "WHY")
    for one in found.verdicts:
        refusal = one.refusal
        legal_, why = ("no", f"{refusal.reason}: {words_of(refusal)}") if refusal else ("yes", "-")
        size = [str(one.size), *([str(found.stages)] if staged else [])]
        table.add_row(mark("blocked" if refusal else "ok"), *size, legal_, why)
    return with_notes([table], found.notes)


def _document(found: Judged) -> dict[str, Any]:
    return {
        "results": [
            {
                "tensorParallelSize": one.size,
                "legal": one.refusal is None,
                "reason": one.refusal.reason.name if one.refusal else None,
                "message": words_of(one.refusal) if one.refusal else None,
            }
            for one in found.verdicts
        ],
        "pipelineParallelSize": found.stages,
        "gpu": found.card.product if found.card else None,
        "notes": list(found.notes),
    }
