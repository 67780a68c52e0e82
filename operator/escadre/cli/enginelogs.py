"""`escadre logs NAME`: the ends of what a deployment's engines wrote, and how they ended before.

Exit code 1: no engine has such a log.
"""

from collections.abc import Iterator
from typing import Annotated, Final

import typer

from escadre.cli.shared import fetch
from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.session import NamespaceOption, Session, environment_of, run
from escadre.cli.shared.target import ClusterCommand
from escadre.clients.kube import PODS, Invalid, Json, NotFound, Selection, Tail, list_all, log_end
from escadre.names import LABEL_COMPONENT, LABEL_DEPLOYMENT
from escadre.state.views.pod import last_end

__all__ = ["register"]

_ENGINE: Final = "engine"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "logs",
        cls=ClusterCommand,
        help="Show the ends of the logs of a deployment's engines, and how each ended before. "
        "Exits with 1 when there is no such log.",
    )(_logs)


def _logs(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="ModelDeployment.")],
    namespace: NamespaceOption = None,
    previous: Annotated[
        bool, typer.Option("-p", "--previous", help="Of the run before the last restart.")
    ] = False,
    tail: Annotated[
        int, typer.Option(min=1, max=100_000, help="Lines of each; 1 MiB at most.")
    ] = 100,
) -> None:
    environment = environment_of(context)

    async def work(session: Session) -> list[tuple[Json, str | None]]:
        where = namespace or session.namespace
        await fetch.deployment(session, where, name)
        labels = f"{LABEL_COMPONENT}={_ENGINE},{LABEL_DEPLOYMENT}={name}"
        pods = await list_all(session.api, PODS, Selection(where, labels=labels))
        pods.sort(key=lambda pod: str(pod["metadata"]["name"]))
        wanted = Tail(lines=tail, previous=previous)
        return [(pod, await _log(session, pod, wanted)) for pod in pods]

    found = run(environment, work)
    say = environment.out.print
    for pod, text in found:
        for line in _head(pod, previous=previous, there=text is not None):
            say(line, soft_wrap=True)
        say(text or "", end="" if not text or text.endswith("\n") else "\n", soft_wrap=True)
    if not found:
        say(f"No pod of {name} has an engine yet: escadre why {name}")
    raise typer.Exit(OK if any(text is not None for _, text in found) else NOT_READY)


async def _log(session: Session, pod: Json, tail: Tail) -> str | None:
    """None when there is no such run, or the pod has gone meanwhile."""
    try:
        return await log_end(session.api, pod, _ENGINE, tail)
    except (NotFound, Invalid):
        return None


def _head(pod: Json, *, previous: bool, there: bool) -> Iterator[str]:
    """Whose log follows, and how its engine ended the last time."""
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    run_ = "the run before" if previous else "this run"
    node = spec.get("nodeName") or "no node yet"
    yield f"== {meta['name']} on {node}: {run_}{'' if there else ' left no log'}"
    for one in status.get("containerStatuses") or []:
        if one.get("name") == _ENGINE and (end := last_end(one)):
            yield f"== it {end}"
