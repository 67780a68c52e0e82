"""--pipeline-parallel of `escadre layout`: into how many stages a replica is split.

Carried by its commands beside what names the model.
"""

from typing import Annotated, Final

import typer

from escadre.cli.layout.catalogued import CatalogCommand
from escadre.cli.shared.carrying import noting

__all__ = ["StagedCommand", "asked_stages", "stages_option"]

_KEY: Final = "escadre.pipeline-parallel"


def asked_stages(context: typer.Context) -> int:
    """What was given, 1 without it."""
    stages: int = context.meta.get(_KEY, 1)
    return stages


def stages_option(
    _stages: Annotated[
        int,
        typer.Option(
            "--pipeline-parallel",
            min=1,
            max=1024,
            help="Stages of a replica, each of so many GPUs.",
            callback=noting(_KEY),
            expose_value=False,
        ),
    ] = 1,
) -> None:
    """Carries the option."""


class StagedCommand(CatalogCommand):
    """A command about a model in tensor parallel sizes and pipeline stages."""

    carried = (stages_option, *CatalogCommand.carried)
