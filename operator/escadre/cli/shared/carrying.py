"""Commands that take options besides those of their own function, which callbacks note.

So no command has one more parameter for what several have. cli/shared/target.py, for one.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand
from typer.main import get_command

__all__ = ["CarryingCommand", "noting"]


class CarryingCommand(TyperCommand):
    """``carried`` are functions that do nothing: their parameters are the options."""

    carried: ClassVar[tuple[Callable[..., None], ...]] = ()

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **given: Any) -> None:
        carried = [one for carrier in self.carried for one in _options(carrier)]
        super().__init__(name, params=[*(params or ()), *carried], **given)


def _options(carrier: Callable[..., None]) -> list[Any]:
    app = typer.Typer(add_completion=False)
    app.command()(carrier)
    return get_command(app).params


def noting(key: str) -> Callable[[typer.Context, object], None]:
    """A callback that keeps what was given under ``key`` in click's own context."""

    def note(context: typer.Context, value: object) -> None:
        if value is not None:
            context.meta[key] = value

    return note
