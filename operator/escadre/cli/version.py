"""`escadre version`: versions of this program and of the API it speaks. Needs no cluster."""

import platform

import typer

from escadre import __version__
from escadre.cli.shared.session import Output, OutputOption, environment_of
from escadre.names import API_VERSION

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("version", help="Show the versions of this program and of its API.")(_version)


def _version(
    context: typer.Context,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)
    python = platform.python_version()
    if output is Output.JSON:
        environment.print_json({"escadre": __version__, "api": API_VERSION, "python": python})
        return
    environment.out.print(f"escadre {__version__}  API {API_VERSION}  Python {python}")
