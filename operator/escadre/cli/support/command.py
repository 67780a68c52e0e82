"""`escadre support-bundle`: what a support person needs, redacted, in one file.

Exit code 1: written, but something could not be read; MISSING.txt in it says what, and why.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from escadre.cli.shared.failures import NOT_READY, OK
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.places import check_place
from escadre.cli.shared.session import Session, environment_of, run
from escadre.cli.shared.target import ClusterCommand
from escadre.cli.shared.words import bytes_text, count
from escadre.cli.support.archive import check_free, write
from escadre.cli.support.contents import MISSING, files_of
from escadre.cli.support.found import Found
from escadre.cli.support.gather import Scope, gather
from escadre.cli.support.reader import Reader

__all__ = ["register"]

_OBJECTS: Final = 2000


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(
        "support-bundle",
        cls=ClusterCommand,
        help="Collect what a support person needs into one tar.gz, without secrets: versions, our "
        "objects and what was made from them, events, nodes, logs of operator and agents, and what "
        "status, why and nodes say. At most 2,000 objects of a kind, logs of 60 pods, 64 MB. "
        "Reads with your rights; exits with 1 when something could not be read, which "
        "MISSING.txt in it lists.",
    )(_support_bundle)


def _support_bundle(
    context: typer.Context,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="File to write, never over another; escadre-support-TIME.tar.gz."
        ),
    ] = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Only deployments of this namespace; all without it.",
            callback=given_namespace,
        ),
    ] = None,
    system_namespace: Annotated[
        str,
        typer.Option(help="Where the operator and its agents run.", callback=given_namespace),
    ] = "escadre-system",
    tail: Annotated[
        int, typer.Option(min=1, max=100_000, help="Lines of each log; 1 MiB at most.")
    ] = 2000,
) -> None:
    environment = environment_of(context)
    now = environment.now()
    root = f"escadre-support-{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}"
    path = out or Path(f"{root}.tar.gz")
    check_free(path)
    check_place("-o", path)

    async def work(session: Session) -> tuple[Found, Reader]:
        reader = Reader(session.api, _OBJECTS)
        scope = Scope(namespace, system_namespace, tail)
        return await gather(environment, session, scope, reader), reader

    found, reader = run(environment, work)
    files = files_of(found, reader.gaps)
    size = write(path, root, files, now)
    environment.out.print(f"wrote {path}: {count(len(files), 'file')}, {bytes_text(size)}")
    if MISSING not in files:
        raise typer.Exit(OK)
    number = files[MISSING].count(b"\n")
    environment.out.print(
        f"{count(number, 'thing')} could not be read; {MISSING} in it says what, and why"
    )
    raise typer.Exit(NOT_READY)
