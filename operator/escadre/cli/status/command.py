"""`escadre status [NAME]`: how deployments are, once or live, and which operator leads.

Exit code 1: NAME is not ready, or no operator leads.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from escadre.cli.shared import fetch
from escadre.cli.shared.deployed import Deployed
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.leader import Leader, SystemNamespaceOption, find_leader
from escadre.cli.shared.session import (
    Environment,
    NamespaceOption,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import ClusterCommand
from escadre.cli.status.progress import with_progress
from escadre.cli.status.view import detail, leader_line, overview, summary
from escadre.clients.kube import Selection

__all__ = ["register"]

_WATCH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    """The deployments, and the operator that looks after them."""

    deployments: list[Deployed]
    leader: Leader

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [summary(each) for each in self.deployments]


Look = Callable[[], Awaitable[_Found]]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "status",
        cls=ClusterCommand,
        help="Show how deployments are: ready, layout, replicas, weights. "
        "Exits with 1 when NAME is not ready, or no operator leads.",
    )(_status)


def _status(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="ModelDeployment; all without it.")
    ] = None,
    namespace: NamespaceOption = None,
    everywhere: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="All namespaces.")
    ] = False,
    selector: Annotated[
        str | None, typer.Option("-l", "--selector", help="Only those with these labels: a=b,c!=d.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Keep showing until interrupted.")
    ] = False,
    system_namespace: SystemNamespaceOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    if name and everywhere:
        raise typer.BadParameter("NAME and --all-namespaces exclude each other; use -n NAMESPACE")
    if name and selector:
        raise typer.BadParameter("NAME and --selector exclude each other; name one, or select some")
    environment = environment_of(context)

    async def work(session: Session) -> int:
        where = namespace or session.namespace

        async def look() -> _Found:
            chosen = Selection(None if everywhere else where, labels=selector or "")
            found = await _deployments(session, name, chosen)
            return _Found(found, await find_leader(environment, session, system_namespace))

        view = _View(environment, name, None if everywhere else where, selector or "")
        if watch:
            return await _watch(environment, view, look, output)
        found = await look()
        if not found.deployments and not everywhere and not selector:
            view.elsewhere = await fetch.deployments_anywhere(session)
        environment.answer(
            output, document=lambda: view.document(found), view=lambda: view.render(found)
        )
        return view.code(found)

    raise typer.Exit(run(environment, work))


async def _deployments(session: Session, name: str | None, chosen: Selection) -> list[Deployed]:
    if name:
        where = chosen.namespace or session.namespace
        one = Deployed.read(await fetch.deployment(session, where, name))
        return [await with_progress(session, one)]
    return [Deployed.read(each) for each in await fetch.deployments(session, chosen)]


class _View:
    """How what was found is shown: one deployment whole, or a line for each."""

    def __init__(
        self, environment: Environment, name: str | None, namespace: str | None, selector: str
    ) -> None:
        self._environment = environment
        self._name = name
        self._selector = selector
        self._namespace = namespace
        self.elsewhere: int | None = None  # how many other namespaces have, None if not known

    def render(self, found: _Found) -> RenderableType:
        """The screen; that no operator leads stands before what it makes doubtful."""
        now = self._environment.now()
        line = leader_line(found.leader, now)
        shown = self._shown(found.deployments, now)
        if found.leader.standing == "nobody":
            return Group(line, Text(), shown)
        return Group(shown, Text(), line)

    def _shown(self, found: list[Deployed], now: float) -> RenderableType:
        if self._name:
            return detail(found[0], now)
        if not found:
            return Text(self._nothing())
        return overview(found, namespaces=self._namespace is None)

    def document(self, found: _Found) -> dict[str, Any]:
        """The same as JSON."""
        content = found.documents[0] if self._name else {"items": found.documents}
        return {**content, "operator": found.leader.document()}

    def _nothing(self) -> str:
        if self._selector:
            where = f"in {self._namespace}" if self._namespace else "in any namespace"
            return f"No ModelDeployment with the labels {self._selector} {where}."
        if self._namespace is None:
            return "No ModelDeployment in any namespace; examples/quickstart has one to try."
        none = f"No ModelDeployment in {self._namespace}"
        if self.elsewhere is None:
            return f"{none}; those of all namespaces, if you may list them: escadre status -A"
        if self.elsewhere == 0:
            return f"{none} or any other namespace; examples/quickstart has one to try."
        return f"{none}; {self.elsewhere} in other namespaces: escadre status -A"

    def code(self, found: _Found) -> int:
        """The exit code: only a named deployment can be not ready, or not known to be."""
        if not self._name:
            return OK
        sure = found.leader.standing != "nobody"
        return OK if sure and found.deployments[0].is_ready else NOT_READY


async def _watch(environment: Environment, view: _View, look: Look, output: Output) -> int:
    """Shows each change until interrupted; on a terminal in place, else as further lines."""
    found: _Found | None = None
    try:
        if output is Output.TABLE and environment.out.is_terminal:
            with Live(console=environment.out, auto_refresh=False) as live:
                while True:
                    found = await look()
                    live.update(view.render(found), refresh=True)
                    await environment.sleep(_WATCH_SECONDS)
        before: object = None
        while True:
            found = await look()
            state = found.documents, found.leader.standing
            if state != before:
                before = state
                _print_change(environment, view, found, output)
            await environment.sleep(_WATCH_SECONDS)
    except asyncio.CancelledError:  # Ctrl-C
        return view.code(found) if found else OK


def _print_change(environment: Environment, view: _View, found: _Found, output: Output) -> None:
    if output is Output.TABLE:
        environment.show(view.render(found))
        return
    for each in found.documents or [{"items": []}]:
        document = {**each, "operator": found.leader.document()}
        if output is Output.YAML:
            environment.out.print("---")
            environment.print_document(document, output)
            continue
        environment.out.print(json.dumps(document, ensure_ascii=False), soft_wrap=True)
