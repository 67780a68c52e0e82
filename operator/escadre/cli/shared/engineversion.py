"""--engine-version: which version of vLLM to judge as. Carried by `escadre layout` and `plan`."""

from typing import Annotated, Final

import typer

from escadre.cli.shared.carrying import noting
from escadre.cli.shared.failures import BadInput
from escadre.core.profile import Profiled, profile_for
from escadre.engineflags import ENGINE_VERSION

__all__ = ["asked_as", "judged_as", "version_option"]

_KEY: Final = "escadre.engine-version"


def judged_as(context: typer.Context) -> Profiled:
    """The profile that --engine-version names, that of the operator's version without it."""
    return asked_as(context) or profile_for(ENGINE_VERSION)


def asked_as(context: typer.Context) -> Profiled | None:
    """The profile that --engine-version names, None without it.

    Raises:
        BadInput: it is no version.
    """
    version = context.meta.get(_KEY)
    if version is None:
        return None
    try:
        return profile_for(version)
    except ValueError as error:
        raise BadInput(f"--engine-version {version}: {error}") from error


def version_option(
    _version: Annotated[
        str | None,
        typer.Option(
            "--engine-version",
            help=f"Judge as this version of vLLM; default {ENGINE_VERSION}, on a cluster that of "
            "its operator.",
            metavar="VERSION",
            callback=noting(_KEY),
            expose_value=False,
        ),
    ] = None,
) -> None:
    """Carries the option."""
