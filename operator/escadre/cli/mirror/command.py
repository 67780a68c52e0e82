"""`escadre mirror test`: asks a mirror a little and says what it can do. Writes nothing.

What is asked for is a file of an approval, whose digests are known, or of a repository that the
mirror lists. The bytes come to where the command runs: its way to the mirror is the one tested.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from pydantic import TypeAdapter, ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.base import Commit, Repository
from escadre.cli.mirror.view import Tested, document, view
from escadre.cli.shared import fetch
from escadre.cli.shared.carrying import CarryingCommand
from escadre.cli.shared.failures import NOT_READY, OK, BadInput
from escadre.cli.shared.mirroraccess import HELP, OPTIONS, MirrorAccess, credentials_from, mirror_of
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.session import Output, OutputOption, Session, environment_of, run
from escadre.cli.shared.target import target_options
from escadre.clients.kube import MODEL_APPROVALS, Json, list_all
from escadre.clients.sources.errors import MirrorError
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.probe import Finding, Probed, Sample, probe, sample_of
from escadre.clients.sources.protocol import RemoteFile, Source
from escadre.errors import EscadreError
from escadre.fieldfaults import first_fault

__all__ = ["register"]

_KEY = "escadre.mirror"
_COMMIT = "a commit, 40 hex characters,"


@dataclass(slots=True)
class _Options:
    """What the carried options said."""

    repository: str | None = None
    revision: str | None = None
    credentials: Path | None = None
    system_namespace: str = "escadre-system"


def _options(context: typer.Context) -> _Options:
    options: _Options = context.meta.setdefault(_KEY, _Options())
    return options


def _repository(context: typer.Context, value: str | None) -> None:
    check = TypeAdapter(Repository).validate_python
    _options(context).repository = _checked(check, "--repository", value, "organisation/model")


def _revision(context: typer.Context, value: str | None) -> None:
    check = TypeAdapter(Commit).validate_python
    _options(context).revision = _checked(check, "--revision", value, _COMMIT)


def _credentials(context: typer.Context, value: Path | None) -> None:
    _options(context).credentials = value


def _system_namespace(context: typer.Context, value: str) -> None:
    _options(context).system_namespace = given_namespace(value) or value


def _checked(
    check: Callable[[object], str], option: str, value: str | None, needed: str
) -> str | None:
    if value is None:
        return None
    try:
        return check(value)
    except ValidationError as error:
        raise BadInput(f"{option} {value!r}: {needed} is needed") from error


def _carried(
    _one: Annotated[
        str | None,
        typer.Option(
            "--repository",
            help="organisation/model to read from, when no approval names the mirror yet.",
            callback=_repository,
            expose_value=False,
        ),
    ] = None,
    _two: Annotated[
        str | None,
        typer.Option("--revision", help="Its commit.", callback=_revision, expose_value=False),
    ] = None,
    _three: Annotated[
        Path | None,
        typer.Option(
            *OPTIONS,
            metavar="FOLDER|FILE",
            help=HELP,
            callback=_credentials,
            expose_value=False,
        ),
    ] = None,
    _four: Annotated[
        str,
        typer.Option(
            "--system-namespace",
            help="Where the mirror's Secret is.",
            callback=_system_namespace,
            expose_value=False,
        ),
    ] = "escadre-system",
) -> None:
    """Carries the options; their callbacks note them."""


class _MirrorCommand(CarryingCommand):
    carried = (target_options, _carried)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="Look at what holds the weights.", no_args_is_help=True)
    group.command(
        "test",
        cls=_MirrorCommand,
        help="Ask a mirror a little, from here: manifest, list, byte ranges, a small file, how "
        "fast. Exits with 1 when something fails.",
    )(_test)
    app.add_typer(group, name="mirror")


class _Wanted(NamedTuple):
    """Of which repository, and what of it; without a sample the mirror's list gives one."""

    repository: str
    revision: str
    sample: Sample | None
    of: str


def _test(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="ModelMirror.")],
    approval: Annotated[
        str | None, typer.Option(help="ModelApproval whose files are asked for.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    environment, options = environment_of(context), _options(context)
    _check_given(options, approval)
    given = credentials_from(options.credentials)

    async def look(session: Session) -> tuple[MirrorAccess, _Wanted]:
        access = await mirror_of(session, name, given, options.system_namespace)
        return access, await _wanted(session, name, approval, options)

    access, wanted = run(environment, look)
    spec = access.spec
    source = open_source(
        name,
        spec,
        repository=wanted.repository,
        revision=wanted.revision,
        credentials=access.credentials,
        guard=access.guard,
        manifests=wanted.sample is not None,
    )
    try:
        probed = _probed(source, wanted.sample)
    finally:
        source.close()
    tested = Tested(name, spec.type, spec.where, wanted.of, probed)
    environment.answer(output, document=lambda: document(tested), view=lambda: view(tested))
    raise typer.Exit(NOT_READY if tested.probed.fault else OK)


def _check_given(options: _Options, approval: str | None) -> None:
    """Before anybody is asked; raises BadInput for options that do not go together."""
    both = bool(options.repository), bool(options.revision)
    if any(both) and (approval or not all(both)):
        raise BadInput("give --repository and --revision together, or --approval alone")


async def _wanted(session: Session, name: str, approval: str | None, options: _Options) -> _Wanted:
    if options.repository and options.revision:
        of = f"{options.repository} at {options.revision}"
        return _Wanted(options.repository, options.revision, None, of)
    if approval:
        return _of_approval(await fetch.approval(session, approval))
    known = await list_all(session.api, MODEL_APPROVALS)
    naming = [one for one in known if name in (one.get("spec") or {}).get("mirrors", [])]
    if not naming:
        raise EscadreError(
            f"no ModelApproval names ModelMirror {name}, so nothing is known of what it holds; "
            "give --approval, or --repository and --revision"
        )
    return _of_approval(min(naming, key=lambda one: str(one["metadata"]["name"])))


def _of_approval(body: Json) -> _Wanted:
    name = body["metadata"]["name"]
    try:
        spec = ModelApprovalSpec.model_validate(body.get("spec"))
    except ValidationError as error:
        why = first_fault(error, "spec")
        raise EscadreError(f"ModelApproval {name} cannot be read: {why}") from error
    sample = sample_of(spec.files, spec.manifest_digest)
    return _Wanted(spec.repository, spec.revision, sample, f"ModelApproval {name}")


def _probed(source: Source, sample: Sample | None) -> Probed:
    """Without a sample the list is asked first, and without a list there is nothing else to ask."""
    try:
        sample = sample or _listed(source)
    except MirrorError as error:
        failed = Finding("list", error.message, error)
        return Probed((failed,), None, None, None, source.met.redirect_hosts)
    return probe(source, sample, time.monotonic)


def _listed(source: Source) -> Sample:
    if not source.capabilities.lists:
        raise EscadreError(
            f"ModelMirror {source.name} has no list of files, so it is not known what to ask for\n"
            "next: name a ModelApproval whose files it holds, with --approval; without one yet, "
            "draft it from the folder that the mirror serves (escadre approve draft --folder)"
        )
    full = [one for one in source.list() if one.size]
    if not full:
        raise EscadreError(f"ModelMirror {source.name} lists no file with content there")
    largest = max(full, key=lambda one: (one.size, one.path))
    return Sample(RemoteFile(largest.path, largest.size))
