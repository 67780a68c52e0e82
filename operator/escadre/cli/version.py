"""`escadre version` and `--version`: of this program and of the API it speaks. Ask no cluster."""

import platform
from typing import Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperGroup
from typer.main import get_command
from typing_extensions import override

from escadre import __version__
from escadre.cli.shared.optionfaults import reworded
from escadre.cli.shared.session import Output, OutputOption, environment_of
from escadre.names import API_VERSION

__all__ = ["Root", "register"]


def _short(context: typer.Context, asked: bool) -> None:
    if asked:
        environment_of(context).out.print(f"escadre {__version__}")
        raise typer.Exit


def _option(
    _asked: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version of this program.",
            callback=_short,
            expose_value=False,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Carries the option."""


class Root(TyperGroup):
    """The program, which takes --version besides its commands."""

    def __init__(self, *, params: list[Any] | None = None, **given: Any) -> None:
        carrier = typer.Typer(add_completion=False)
        carrier.command()(_option)
        super().__init__(params=[*(params or ()), *get_command(carrier).params], **given)

    @override
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            raise reworded(error) from error.__cause__


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("version", help="Show the versions of this program and of its API.")(_version)


def _version(
    context: typer.Context,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)
    python = platform.python_version()
    environment.answer(
        output,
        document=lambda: {"escadre": __version__, "api": API_VERSION, "python": python},
        view=lambda: Text(f"escadre {__version__}  API {API_VERSION}  Python {python}"),
    )
