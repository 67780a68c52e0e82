"""`escadre approve draft`: hashes a model and writes manifest and ModelApproval for review.

Nothing is sent to the cluster: people read the draft, publish the manifest on the mirror and apply
the approval. Registered by cli/approve/command.py.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.mirror import ModelMirrorSpec
from escadre.cli.approve.drafting import Draft, make_draft
from escadre.cli.approve.files import tell, write
from escadre.cli.approve.progress import with_progress
from escadre.cli.approve.publishing import how_to_publish
from escadre.cli.approve.serving import serving_profile
from escadre.cli.approve.source import Repository, folder_repository, mirror_repository
from escadre.cli.approve.terms import Terms, check_out, check_terms, parse_end
from escadre.cli.shared import fetch
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.mirroraccess import (
    OPTION,
    CredentialsOption,
    MirrorAccess,
    credentials_from,
    mirror_of,
    spec_of,
)
from escadre.cli.shared.naming import given_namespace
from escadre.cli.shared.session import (
    Environment,
    Output,
    OutputOption,
    Session,
    environment_of,
    run,
)
from escadre.cli.shared.target import ClusterCommand
from escadre.clients.kube import SELF_SUBJECT_REVIEWS, ApiError, ConnectionUnknown
from escadre.clients.modelcard import licence_of
from escadre.clients.sources.credentials import Credentials
from escadre.core.approvals.licences import contradiction
from escadre.core.approvals.naming import approval_name
from escadre.errors import EscadreError
from escadre.fieldfaults import first_fault
from escadre.names import API_VERSION

__all__ = ["approval_document", "register"]


def register(group: typer.Typer) -> None:
    """Adds the command to `escadre approve`."""
    group.command(
        "draft",
        cls=ClusterCommand,
        help="Hash a model and write manifest and approval for review.",
    )(_draft)


def _draft(
    context: typer.Context,
    repository: Annotated[str, typer.Option(help="organisation/model.")],
    revision: Annotated[str, typer.Option(help="Commit, 40 hex characters.")],
    mirror: Annotated[
        list[str],
        typer.Option(help="ModelMirror that holds the bytes. May be repeated; the first is read."),
    ],
    allow: Annotated[
        list[str], typer.Option(help="Namespace that may use the model. May be repeated.")
    ],
    licence: Annotated[str, typer.Option(help="SPDX identifier or LicenseRef-NAME.")],
    accepted_by: Annotated[str, typer.Option(help="Who accepted the licence.")],
    not_after: Annotated[
        str,
        typer.Option(
            help="End of the approval: a date like 2027-06-30, which means 00:00 UTC at the start "
            "of that day, or a time like 2027-06-30T18:00:00Z."
        ),
    ],
    folder: Annotated[
        Path | None, typer.Option(help="Read the bytes from this folder, not from the mirror.")
    ] = None,
    contract: Annotated[str | None, typer.Option(help="Contract, for proprietary weights.")] = None,
    required_approvals: Annotated[int, typer.Option(help="People who must sign, 1 to 16.")] = 2,
    name: Annotated[str | None, typer.Option(help="Name; default from the repository's.")] = None,
    requested_by: Annotated[str | None, typer.Option(help="Default: you, as the cluster.")] = None,
    credentials: CredentialsOption = None,
    system_namespace: Annotated[
        str,
        typer.Option(
            help="Where the operator and the mirror's Secret are.", callback=given_namespace
        ),
    ] = "escadre-system",
    out: Annotated[Path, typer.Option(help="Folder for the two files.")] = Path(),
    output: OutputOption = Output.TABLE,
) -> None:
    environment = environment_of(context)
    given = _credentials(folder, credentials)
    terms = Terms(
        name=approval_name(repository) if name is None else name,
        repository=repository,
        revision=revision,
        mirrors=list(dict.fromkeys(mirror)),
        namespaces=list(dict.fromkeys(allow)),
        licence=licence,
        accepted_by=accepted_by,
        contract=contract,
        not_after=parse_end(not_after),
        required_approvals=required_approvals,
        requested_by=requested_by,
    )
    check_terms(terms, environment.now())
    check_out(out)
    terms = replace(terms, requested_by=requested_by or _asked(environment))
    source, spec = _source(environment, terms, folder, given, system_namespace)
    profile = serving_profile(environment, system_namespace)
    draft = with_progress(environment.err, lambda progress: make_draft(source, progress, profile))
    document = approval_document(draft, terms)
    files = write(out, draft, document)
    publish = how_to_publish(files.manifest, spec, repository)
    tell(environment, draft, document, files, publish, output)
    _note_licence(environment, draft.card, licence)


def _note_licence(environment: Environment, card: str, licence: str) -> None:
    """People decide which licence holds; that the model names another one they should know."""
    found = licence_of(card) if card else None
    if found and (words := contradiction(licence, found.id, found.name)):
        environment.err.print(f"note: {words}")


def _credentials(folder: Path | None, credentials: Path | None) -> Credentials | None:
    """Those that were given; with a folder there is nobody to show them to."""
    if folder is not None and credentials is not None:
        raise BadInput(f"{OPTION}: with --folder no mirror is read; leave one of them out")
    return credentials_from(credentials)


def _source(
    environment: Environment,
    terms: Terms,
    folder: Path | None,
    credentials: Credentials | None,
    system_namespace: str,
) -> tuple[Repository, ModelMirrorSpec | None]:
    """Where the bytes come from, and the first mirror unless nobody could be asked."""
    if folder is not None:
        return folder_repository(folder), _looked_for(environment, terms.mirrors)
    name = terms.mirrors[0]

    async def look(session: Session) -> MirrorAccess:
        await _exist(session, terms.mirrors[1:])
        return await mirror_of(session, name, credentials, system_namespace)

    access = run(environment, look)
    source = mirror_repository(
        name, access, terms.repository, terms.revision, environment.err.print
    )
    return source, access.spec


def _looked_for(environment: Environment, mirrors: list[str]) -> ModelMirrorSpec | None:
    """The first; where no cluster answers a folder is hashed all the same, and that is said."""
    try:
        return run(environment, lambda session: _exist(session, mirrors))[0]
    except (ApiError, ConnectionUnknown) as error:
        environment.err.print(f"not known whether --mirror {', '.join(mirrors)} exists: {error}")
    return None


async def _exist(session: Session, mirrors: list[str]) -> list[ModelMirrorSpec]:
    """Refuses a mirror that does not exist: misspelt, it would only be missed much later."""
    found = [await fetch.mirror(session, name) for name in mirrors]
    return [spec_of(one) for one in found]


def approval_document(draft: Draft, terms: Terms) -> dict[str, Any]:
    """The ModelApproval; raises EscadreError naming the fact of the bytes that is out of bounds."""
    spec = {
        **terms.spec(),
        "files": [
            {"path": file.path, "size": file.size, "sha256": file.sha256}
            for file in draft.manifest.files
        ],
        "manifestDigest": draft.digest,
        "architecture": draft.architecture.model_dump(by_alias=True, exclude_none=True),
    }
    try:
        ModelApprovalSpec.model_validate(spec)
    except ValidationError as error:
        raise EscadreError(f"the draft is not allowed: {first_fault(error, 'spec')}") from error
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelApproval",
        "metadata": {"name": terms.name},
        "spec": spec,
    }


def _asked(environment: Environment) -> str:
    """Who runs this, by the cluster."""
    try:
        return run(environment, _caller)
    except (ApiError, ConnectionUnknown) as error:
        raise ConnectionUnknown(
            f"who requests it is not known: give --requested-by, or a cluster to ask; {error}"
        ) from error


async def _caller(session: Session) -> str:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    who = await session.api.create(SELF_SUBJECT_REVIEWS, {**review, "metadata": {}})
    return str(who["status"]["userInfo"]["username"])
