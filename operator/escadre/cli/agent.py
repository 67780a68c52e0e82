"""`escadre agent`: starts the agent process of a node. Reads the settings, decides nothing."""

from pathlib import Path
from typing import Annotated

import typer
import uvloop

from escadre.cli import logs
from escadre.settings import load

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("agent", help="Run the agent of a node; its pods do.")(_agent)


def _agent(
    config: Annotated[Path, typer.Option(help="Settings file.")] = Path("/etc/escadre/config.yaml"),
) -> None:
    settings = load(config)
    from escadre.agent.run import run  # noqa: PLC0415 - other commands do not load NVML

    logs.configure()
    raise typer.Exit(uvloop.run(run(settings)))
