"""`escadre operator` and `escadre agent` as our pods run them: the commands of people left out.

They say, take and return what they do in main.py's program. Called by entry.py.
"""

import typer

from escadre.cli import agent, operator
from escadre.cli.shared.answering import answer

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs one of the two; returns its exit code. Never lets a traceback out."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    operator.register(app)
    agent.register(app)
    return answer(app, arguments, lambda text: typer.echo(text, err=True))
