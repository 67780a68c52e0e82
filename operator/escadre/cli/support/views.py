"""What `escadre status`, `why` and `nodes` say at the time of a bundle, as texts."""

import io
from typing import Final

from rich.console import Console, RenderableType

from escadre.cli.nodes.occupied import node_lines
from escadre.cli.nodes.view import Apart
from escadre.cli.nodes.view import view as nodes_view
from escadre.cli.plan.livefleet import read_fleet
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.leader import Leader, find_leader
from escadre.cli.shared.session import Environment, Session
from escadre.cli.shared.words import count
from escadre.cli.status.view import detail, leader_line, overview
from escadre.cli.support.found import Found
from escadre.cli.support.reader import Reader
from escadre.cli.why.chain import build
from escadre.cli.why.leaderless import leaderless
from escadre.cli.why.view import view as why_view
from escadre.clients.kube import ApiError

__all__ = ["EXPLAINED", "add_views"]

EXPLAINED: Final = 200  # deployments with a text of their own, those first that are not ready
_WIDTH: Final = 160


async def add_views(
    environment: Environment, session: Session, system: str, found: Found, reader: Reader
) -> None:
    """Adds the texts; what cannot be made for want of rights is a gap."""
    now = environment.now()
    leader = await _leader(environment, session, system, reader)
    deployments = [Deployed.read(one) for one in found.of("modeldeployments")]
    head = _text(leader_line(leader, now)) if leader else ""
    found.views["status.txt"] = f"{head}\n{_text(overview(deployments, namespaces=True))}"
    deployments.sort(key=lambda one: (one.is_ready, one.namespace, one.name))
    for one in deployments[:EXPLAINED]:
        name = f"{one.namespace}.{one.name}.txt"
        found.views[f"status/{name}"] = _text(detail(one, now))
        if leader:
            found.views[f"why/{name}"] = _why(one, leader, now)
    if len(deployments) > EXPLAINED:
        rest = len(deployments) - EXPLAINED
        reader.miss(f"status and why of {count(rest, 'more deployment')}", "the bundle's own limit")
    try:
        fleet = await read_fleet(session, system, now)
    except ApiError as error:
        reader.miss("the output of escadre nodes", str(error))
        return
    lines = node_lines(found.of("gpunodes"), fleet.usable, deployments)
    found.views["nodes.txt"] = _text(nodes_view(lines, Apart(fleet.unused, fleet.notes)))


async def _leader(
    environment: Environment, session: Session, system: str, reader: Reader
) -> Leader | None:
    try:
        return await find_leader(environment, session, system)
    except ApiError as error:
        reader.miss("whether an operator leads", str(error))
        return None


def _why(one: Deployed, leader: Leader, now: float) -> str:
    chain = build(one)
    if leader.standing == "nobody":
        chain = leaderless(chain, leader, now)
    return _text(why_view(one, chain, leader, now))


def _text(view: RenderableType) -> str:
    file = io.StringIO()
    console = Console(file=file, width=_WIDTH, highlight=False, markup=False, emoji=False)
    console.print(view)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
