"""`escadre plan -f FILE…`: what would become of a wish, on the live cluster or on given nodes.

Writes nothing to a cluster, and with --nodes asks none. Exit code 1: something stands in the way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from escadre.api.idle import idle_parts
from escadre.cli.plan.livefleet import FLEET_NAMESPACE, FleetNamespaceOption, read_fleet
from escadre.cli.plan.nodelist import read_nodes
from escadre.cli.plan.page import page, write_page
from escadre.cli.plan.picture import Picture, paint
from escadre.cli.plan.platform import TOLERATED
from escadre.cli.plan.prospect import Fleet, Prospect, look_ahead
from escadre.cli.plan.tried import Tried, tried_for
from escadre.cli.plan.view import document, view
from escadre.cli.plan.wishes import Wishes, read_wishes
from escadre.cli.plan.wishfiles import WishText, read_texts
from escadre.cli.plan.without import fleet_of
from escadre.cli.shared.carrying import CarryingCommand
from escadre.cli.shared.engineversion import asked_as, version_option
from escadre.cli.shared.failures import NOT_READY, OK, BadInput
from escadre.cli.shared.places import check_place
from escadre.cli.shared.session import (
    NamespaceOption,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import target_options
from escadre.core.profile import DEFAULT_PROFILE, Profiled
from escadre.core.scaling.target import beyond_the_batch

__all__ = ["register"]


class _PlanCommand(CarryingCommand):
    carried = (target_options, version_option)
    once = frozenset({"--nodes", "--html"})


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "plan",
        cls=_PlanCommand,
        help="Show what files of ModelDeployments would get, without writing; with --nodes also "
        "without a cluster. Exits with 1 when something stands in the way.",
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
    nodes: Annotated[
        str | None,
        typer.Option(
            help='Without a cluster: "4 x 8 x H100-80GB, 2 x 4 x L40S" (nodes x GPUs x product), '
            "or a file with such lines or with what kubectl get nodes -o yaml prints.",
            metavar="NODES",
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the plan as one page, too.", metavar="FILE")
    ] = None,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Every layout that was tried.")
    ] = False,
    namespace: NamespaceOption = None,
    system_namespace: FleetNamespaceOption = FLEET_NAMESPACE,
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)
    _check_read(context, files, nodes)
    check_place("--html", html)
    _check_apart(html, [*files, nodes or ""])
    texts = read_texts(files, environment.read_file)
    now, judged = environment.now(), asked_as(context)

    async def live(session: Session) -> tuple[Wishes, Fleet]:
        wishes = _wishes(texts, namespace, session.namespace)
        return wishes, await read_fleet(session, system_namespace, now)

    if nodes is None:
        wishes, fleet = run(environment, live)
    else:
        wishes = _wishes(texts, namespace, "default")
        profile = judged.profile if judged else DEFAULT_PROFILE
        fleet = fleet_of(read_nodes(nodes, environment.read_file, TOLERATED), wishes, profile)
    fleet = _judged(fleet, judged)
    fleet = replace(fleet, notes=(*fleet.notes, *wishes.notes, *_idle(wishes)))
    seen = _see(wishes, fleet, now, verbose=verbose or html is not None)
    fleet = replace(fleet, notes=(*fleet.notes, *_waiting(seen.tried)))
    if html is not None:
        write_page(html, page(seen.tried, seen.picture, fleet.notes))
    told = seen.tried if verbose else [(one, None) for one, _ in seen.tried]
    environment.answer(
        output,
        document=lambda: document(told, seen.picture, fleet.notes),
        view=lambda: view(told, seen.picture, fleet.notes),
    )
    raise typer.Exit(OK if all(one.fine for one, _ in told) else NOT_READY)


def _check_read(context: typer.Context, files: Sequence[str], nodes: str | None) -> None:
    """Raises BadInput for what says something of a cluster, where none is asked."""
    if nodes is None:
        return
    if nodes == "-" and "-" in files:
        raise BadInput("-f - and --nodes -: stdin is one file, not two")
    target = environment_of(context).target
    given = context.get_parameter_source("system_namespace")
    of_a_cluster = {
        "--kubeconfig": target.kubeconfig is not None,
        "--context": target.context is not None,
        "--system-namespace": given is not None and given.name == "COMMANDLINE",
    }
    for option, named in of_a_cluster.items():
        if named:
            raise BadInput(f"{option}: with --nodes no cluster is asked; leave it out")


def _wishes(texts: Sequence[WishText], asked: str | None, otherwise: str) -> Wishes:
    """As kubectl apply does: an object that names its namespace is not put into another."""
    wishes = read_wishes(texts, asked or otherwise)
    for one in wishes.deployments:
        if asked is not None and one.namespace != asked:
            raise BadInput(
                f"--namespace {asked}: ModelDeployment {one.name} of the files names namespace "
                f"{one.namespace}; one of the two is meant"
            )
    return wishes


def _check_apart(html: Path | None, read: Sequence[str]) -> None:
    """Raises BadInput for a page in the place of what it is made from."""
    if html is None:
        return
    if str(html) == "-":
        raise BadInput("--html -: a page is written to a file; name one")
    for one in read:
        if html.exists() and one and Path(one).exists() and html.samefile(one):
            raise BadInput(f"--html {html}: {one} is read as well and would be lost; name another")


def _judged(fleet: Fleet, asked: Profiled | None) -> Fleet:
    """The fleet as engines of the version asked for would serve it."""
    if asked is None:
        return fleet
    taken, own = asked.profile, fleet.profile
    notes = [f"{asked.note}."] if asked.note else []
    if not fleet.assumed and taken.version != own.version:
        notes.append(f"Judged as vLLM {taken.version}; the operator judges as {own.version}.")
    return replace(fleet, profile=taken, notes=(*fleet.notes, *notes))


def _idle(wishes: Wishes) -> Iterator[str]:
    """What of the wishes has no effect."""
    for one in wishes.deployments:
        yield from (f"{one.namespace}/{one.name}: {words}" for words in idle_parts(one.spec))


def _waiting(tried: Sequence[tuple[Prospect, Tried]]) -> Iterator[str]:
    """Targets with which requests wait while no replica is added for them."""
    for one, _ in tried:
        scaling, layout = one.wish.spec.scaling, one.layout
        at_once = layout.max_num_seqs if layout else None
        if at_once and (words := beyond_the_batch(scaling.target_queue_depth, at_once)):
            yield f"{one.wish.namespace}/{one.wish.name}: {words}"


@dataclass(frozen=True, slots=True)
class _Seen:
    tried: list[tuple[Prospect, Tried]]
    picture: Picture


def _see(wishes: Wishes, fleet: Fleet, now: float, *, verbose: bool) -> _Seen:
    outlook = look_ahead(wishes, fleet, now)
    nothing = [Tried((), ())] * len(outlook.prospects)
    tried = tried_for(outlook.prospects, fleet) if verbose else nothing
    pairs = list(zip(outlook.prospects, tried, strict=True))
    return _Seen(pairs, paint(fleet.usable, outlook.plans))
