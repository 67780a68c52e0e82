"""`escadre layout …`: what the engine accepts and what fits, from a model's files alone.

Neither a cluster nor a network is asked: legal and estimate answer from core/engines, the code the
operator plans with.
"""

import typer

from escadre.cli.layout import estimate, legal

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Judge layouts from a model's files, without a cluster.", no_args_is_help=True
    )
    legal.register(group)
    estimate.register(group)
    app.add_typer(group, name="layout")
