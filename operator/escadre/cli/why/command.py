"""`escadre why NAME`: the chain from wish to blocker, in words.

Exit code 1: it is not ready, or no operator leads.
"""

from typing import Annotated

import typer

from escadre.cli.shared import fetch
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.leader import Leader, SystemNamespaceOption, find_leader
from escadre.cli.shared.session import (
    NamespaceOption,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import ClusterCommand
from escadre.cli.why.chain import build
from escadre.cli.why.leaderless import leaderless
from escadre.cli.why.view import document, view

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "why",
        cls=ClusterCommand,
        help="Say why a deployment is not ready: the first link that blocks. "
        "Exits with 1 when it is not ready, or no operator leads.",
    )(_why)


def _why(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="ModelDeployment.")],
    namespace: NamespaceOption = None,
    system_namespace: SystemNamespaceOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)

    async def work(session: Session) -> tuple[Deployed, Leader]:
        body = await fetch.deployment(session, namespace or session.namespace, name)
        return Deployed.read(body), await find_leader(environment, session, system_namespace)

    each, leader = run(environment, work)
    chain, gone = build(each), leader.standing == "nobody"
    if gone:
        chain = leaderless(chain, leader, environment.now())
    environment.answer(
        output,
        document=lambda: document(each, chain, leader),
        view=lambda: view(each, chain, leader, environment.now()),
    )
    raise typer.Exit(OK if each.is_ready and not gone else NOT_READY)
