"""Commands that take options besides those of their own function, which callbacks note.

So no command has one more parameter for what several have. cli/shared/target.py, for one.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand
from typer.main import get_command
from typing_extensions import override

from escadre.cli.shared.failures import BadInput

__all__ = ["CarryingCommand", "noting"]


class CarryingCommand(TyperCommand):
    """``carried`` are functions that do nothing: their parameters are the options.

    ``once`` are options that name what is read: of two of them one would be left out in silence.
    """

    carried: ClassVar[tuple[Callable[..., None], ...]] = ()
    once: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str | None, *, params: list[Any] | None = None, **given: Any) -> None:
        carried = [one for carrier in self.carried for one in _options(carrier)]
        super().__init__(name, params=[*(params or ()), *carried], **given)

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises BadInput for an option of ``once`` that is given again."""
        *_, order = self.make_parser(ctx).parse_args(args=[*args])
        for option, times in Counter(order).items():
            if times > 1 and (names := self.once.intersection(option.opts)):
                raise BadInput(f"{min(names)} is given {times} times; once is meant")
        return super().parse_args(ctx, args)


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
