"""--model NAME of `escadre layout`: a published model instead of its files.

Carried by its commands. Files win: who has them gives --config.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

import typer
from typing_extensions import override

from escadre.api.approval import Architecture
from escadre.cli.catalog.named import doubts, planned_entry
from escadre.cli.layout.model import LocalModel, read_model
from escadre.cli.shared.carrying import CarryingCommand, noting
from escadre.cli.shared.engineversion import judged_as, version_option
from escadre.cli.shared.failures import BadInput
from escadre.core.weights.intake import Selection

__all__ = ["CatalogCommand", "Chosen", "chosen_model", "model_option"]

_KEY: Final = "escadre.model"
_SELECTION: Final = Selection(files=(), left_out=(), format="mistral", tokenizer="mistral")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model, and what there is to say of where it is known from."""

    model: LocalModel
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Published(LocalModel):
    told: Architecture
    left_out: int

    @property
    @override
    def encoder_bytes(self) -> int:
        return self.left_out

    @override
    def architecture(self, weight_bytes: int) -> Architecture:
        return self.told.model_copy(update={"weight_bytes": weight_bytes})


def chosen_model(context: typer.Context, config: Path | None) -> Chosen:
    """From --model or --config, exactly one of them; raises BadInput saying what is wrong."""
    name = context.meta.get(_KEY)
    if (name is None) == (config is None):
        raise BadInput("give the model as --model NAME or as --config PATH, one of the two")
    judged = judged_as(context)
    notes = (judged.note,) if judged.note else ()
    if config is not None:
        return Chosen(read_model(config, judged.profile), notes)
    entry, told = planned_entry(str(name), "--model", judged.profile)
    model = _Published(
        _SELECTION,
        {},
        told.weight_bytes,
        told.dtype,
        None,
        judged.profile,
        told=told,
        left_out=entry.encoder_bytes,
    )
    said = f"{entry.repository} as the catalog describes it; its files may say otherwise"
    return Chosen(model, (*notes, said, *doubts(entry)))


def model_option(
    _model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Published model instead of --config: a name of escadre catalog list.",
            metavar="NAME",
            callback=noting(_KEY),
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Carries the option."""


class CatalogCommand(CarryingCommand):
    """A command about a model, maybe one of the catalog, as a version of the engine reads it."""

    carried: ClassVar[tuple[Callable[..., None], ...]] = (model_option, version_option)
