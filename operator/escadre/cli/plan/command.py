"""`escadre plan -f FILE…`: what would become of a wish on the live cluster. Writes nothing.

Exit code 1: something stands in the way.
"""

from typing import Annotated

import typer

from escadre.cli.plan.livefleet import FLEET_NAMESPACE, FleetNamespaceOption, read_fleet
from escadre.cli.plan.prospect import Prospect, look_ahead
from escadre.cli.plan.view import document, view
from escadre.cli.plan.wishes import read_wishes
from escadre.cli.plan.wishfiles import read_texts
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.session import (
    NamespaceOption,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import ClusterCommand

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "plan",
        cls=ClusterCommand,
        help="Show what files of ModelDeployments would get, without writing. "
        "Exits with 1 when something stands in the way.",
    )(_plan)


def _plan(
    context: typer.Context,
    files: Annotated[
        list[str],
        typer.Option(
            "-f",
            "--filename",
            help="ModelDeployments, and approvals; - is stdin. May be repeated: all are planned "
            "together.",
        ),
    ],
    namespace: NamespaceOption = None,
    system_namespace: FleetNamespaceOption = FLEET_NAMESPACE,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)
    texts = read_texts(files, environment.read_file)

    async def work(session: Session) -> tuple[list[Prospect], tuple[str, ...]]:
        wishes = read_wishes(texts, namespace or session.namespace)
        fleet = await read_fleet(session, system_namespace, environment.now())
        return look_ahead(wishes, fleet, environment.now()), fleet.notes

    prospects, notes = run(environment, work)
    environment.answer(
        output, document=lambda: document(prospects, notes), view=lambda: view(prospects, notes)
    )
    raise typer.Exit(OK if all(each.fine for each in prospects) else NOT_READY)
