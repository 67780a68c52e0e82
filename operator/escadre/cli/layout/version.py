"""--engine-version: which version of vLLM `escadre layout` judges as. Registered with its commands.

The profile that was taken goes through click's own context, so that no command has one more
parameter for it.
"""

from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand
from typer.main import get_command

from escadre.cli.shared.failures import BadInput
from escadre.core.profile import Profiled, profile_for
from escadre.engineflags import ENGINE_VERSION

__all__ = ["JudgedCommand", "judged_as"]

_KEY: Final = "escadre.engine-version"


def judged_as(context: typer.Context) -> Profiled:
    """The profile that --engine-version names, that of the operator's version without it."""
    version = str(context.meta.get(_KEY, ENGINE_VERSION))
    try:
        return profile_for(version)
    except ValueError as error:
        raise BadInput(f"--engine-version {version}: {error}") from error


def _note(context: typer.Context, value: str | None) -> None:
    if value is not None:
        context.meta[_KEY] = value


def _option(
    _version: Annotated[
        str | None,
        typer.Option(
            "--engine-version",
            help=f"Judge as this version of vLLM; default {ENGINE_VERSION}.",
            metavar="VERSION",
            callback=_note,
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Carries the option."""


class JudgedCommand(TyperCommand):
    """A command that judges as a version of the engine."""

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **given: Any) -> None:
        carrier = typer.Typer(add_completion=False)
        carrier.command()(_option)
        super().__init__(name, params=[*(params or ()), *get_command(carrier).params], **given)
