"""`escadre catalog list|show`: the published Mistral models as the planner knows them.

Neither a cluster nor a network is asked. The data is core/catalog's; the operator itself never
plans with it, it plans with what approvals say.
"""

from typing import Annotated

import typer

from escadre.cli.catalog import view
from escadre.cli.catalog.named import entry_named
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.session import Output, OutputOption, environment_of
from escadre.core.catalog.shelf import CATALOG, like

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        help="Show the published Mistral models and their sources, without a cluster.",
        no_args_is_help=True,
    )
    group.command("list", help="List the models, all or those of a name. Asks no cluster.")(_list)
    group.command("show", help="Show one model and where it is known from. Asks no cluster.")(_show)
    app.add_typer(group, name="catalog")


def _list(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="Words of the name, e.g. small 4.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    named = like("-".join(words)) if words else CATALOG
    found = tuple(entry for entry in CATALOG if entry in named)
    if not found:
        name = " ".join(words or ())
        raise BadInput(f"no model of the catalog is called {name}; escadre catalog list has all")
    environment_of(context).answer(
        output,
        document=lambda: {"items": [view.document(entry) for entry in found]},
        view=lambda: view.table(found),
    )


def _show(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Repository, or name as escadre catalog list says."),
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    entry = entry_named(name, "NAME")
    environment_of(context).answer(
        output, document=lambda: view.document(entry), view=lambda: view.one(entry)
    )
