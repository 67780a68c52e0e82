"""`escadre nodes`: what each node has, and which deployments hold it. Writes nothing."""

import typer

from escadre.cli.nodes.occupied import NodeLine, node_lines
from escadre.cli.nodes.view import Apart, document, view
from escadre.cli.plan.livefleet import FLEET_NAMESPACE, FleetNamespaceOption, read_fleet
from escadre.cli.shared.session import Output, OutputOption, Session, environment_of, run
from escadre.cli.shared.target import ClusterCommand
from escadre.clients.kube import GPU_NODES, list_all

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "nodes",
        cls=ClusterCommand,
        help="Show what each node has and who holds it: GPUs, disk, weights, health.",
    )(_nodes)


def _nodes(
    context: typer.Context,
    system_namespace: FleetNamespaceOption = FLEET_NAMESPACE,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)

    async def work(session: Session) -> tuple[list[NodeLine], Apart]:
        gpunodes = await list_all(session.api, GPU_NODES)
        fleet = await read_fleet(session, system_namespace, environment.now())
        deployments = [one for one, _ in fleet.deployments]
        lines = node_lines(gpunodes, fleet.usable, deployments)
        return lines, Apart(fleet.unused, fleet.notes)

    lines, apart = run(environment, work)
    environment.answer(
        output, document=lambda: document(lines, apart), view=lambda: view(lines, apart)
    )
