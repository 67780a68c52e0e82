"""--engine-version: which version of vLLM `escadre layout` judges as. Carried by its commands."""

from typing import Annotated, Final

import typer

from escadre.cli.shared.carrying import noting
from escadre.cli.shared.failures import BadInput
from escadre.core.profile import Profiled, profile_for
from escadre.engineflags import ENGINE_VERSION

__all__ = ["judged_as", "version_option"]

_KEY: Final = "escadre.engine-version"


def judged_as(context: typer.Context) -> Profiled:
    """The profile that --engine-version names, that of the operator's version without it."""
    version = str(context.meta.get(_KEY, ENGINE_VERSION))
    try:
        return profile_for(version)
    except ValueError as error:
        raise BadInput(f"--engine-version {version}: {error}") from error


def version_option(
    _version: Annotated[
        str | None,
        typer.Option(
            "--engine-version",
            help=f"Judge as this version of vLLM; default {ENGINE_VERSION}.",
            metavar="VERSION",
            callback=noting(_KEY),
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Carries the option."""
