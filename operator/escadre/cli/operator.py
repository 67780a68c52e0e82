"""`escadre operator`: starts the operator process. Reads the settings, decides nothing."""

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from escadre.cli import logs
from escadre.settings import load

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("operator", help="Run the operator; its pods do.")(_operator)


def _operator(
    config: Annotated[Path, typer.Option(help="Settings file.")] = Path("/etc/escadre/config.yaml"),
) -> None:
    settings = load(config)
    from escadre.controller.run import run  # noqa: PLC0415 - other commands do not load kopf

    logs.configure()
    raise typer.Exit(uvloop.run(run(settings)))
