"""`escadre approve sign --against`: the signer's own source, held against what the approval says.

Who drafted an approval says which bytes it is for; who signs it need not believe that. Every
approved file is looked at as in a draft, then hashed, whole and by chunk, from a folder or mirror
of the signer's choice. What was found equal stands in the signature, for the record. Called by
cli/approve/command.py, before anybody is asked; writes nothing.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import typer

from escadre import __version__
from escadre.api.approval import ApprovedFile, ModelApprovalSpec
from escadre.cli.approve.drafting import Progress, hashed
from escadre.cli.approve.examining import FILES_AT_ONCE, Examined, examine
from escadre.cli.approve.progress import with_progress
from escadre.cli.approve.serving import serving_profile
from escadre.cli.approve.source import Repository, folder_repository, mirror_repository
from escadre.cli.approve.view import StoredApproval
from escadre.cli.shared.failures import BadInput
from escadre.cli.shared.mirroraccess import OPTION, MirrorAccess, credentials_from, mirror_of
from escadre.cli.shared.session import Environment, Session, run
from escadre.cli.shared.words import count
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.protocol import ListedFile
from escadre.core.profile import EngineProfile
from escadre.core.weights import manifest as manifests
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.manifest import Manifest, ManifestFile
from escadre.errors import EscadreError

__all__ = ["Against", "against_of", "check_reason", "evidence"]

_LONGEST_REASON: Final = 700  # characters; the evidence stands behind it, a signature takes 1,024


@dataclass(frozen=True, slots=True)
class Against:
    """Where the signer reads the bytes.

    Args:
        source: a folder if it has a /, else the name of a ModelMirror.
        credentials: for the mirror, instead of the Secret it names.
        system_namespace: where that Secret and the operator's settings are.
    """

    source: str
    credentials: Credentials | None
    system_namespace: str

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return "/" in self.source

    @property
    def title(self) -> str:
        """As messages and the signature name it."""
        return f"folder {self.source}" if self.is_folder else f"ModelMirror {self.source}"


def against_of(
    source: str | None, credentials: Path | None, system_namespace: str | None
) -> Against | None:
    """What --against names, None without it.

    Raises:
        BadInput: an option that would not be read.
        EscadreError: the credentials cannot be used.
    """
    if source is None:
        given = {OPTION: credentials, "--system-namespace": system_namespace}
        for option in (name for name, value in given.items() if value is not None):
            raise BadInput(f"{option}: without --against no mirror is read; leave it out")
        return None
    against = Against(source, None, system_namespace or "escadre-system")
    if credentials is not None and against.is_folder:
        raise BadInput(f"{OPTION}: --against {source} is a folder, which takes none; leave it out")
    return replace(against, credentials=credentials_from(credentials))


def check_reason(reason: str | None) -> None:
    """Refuses, before anything is hashed, a reason that would leave the evidence no room."""
    if reason and len(reason) > _LONGEST_REASON:
        raise typer.BadParameter(
            f"{len(reason):,} characters; with --against it may have {_LONGEST_REASON}, since what "
            "was hashed stands behind it",
            param_hint="--reason",
        )


def evidence(environment: Environment, approval: StoredApproval, against: Against) -> str:
    """What was hashed and found equal, in words for the signature.

    Raises:
        EscadreError: the source holds other bytes than the approval names, each file named.
        Refusal: faults of the mirror.
    """
    repository = _open(environment, approval.spec, against)
    profile = serving_profile(environment, against.system_namespace)
    try:
        size = with_progress(
            environment.err,
            lambda progress: _compare(repository, approval.spec, profile, progress),
        )
    except IntakeError as error:
        raise EscadreError(
            f"{against.title} is not what ModelApproval {approval.name} approves, and nothing was "
            f"signed\n{error}"
        ) from error
    files = count(len(approval.spec.files), "file")
    return (
        f"escadre {__version__} hashed {files}, {size:,} bytes, from {against.title}: files and "
        f"chunks are those of {approval.spec.manifest_digest}"
    )


def _open(environment: Environment, spec: ModelApprovalSpec, against: Against) -> Repository:
    name = against.source
    if against.is_folder:
        root = Path(name)
        if not root.is_dir():
            raise EscadreError(f"--against {name}: {root} is no folder")
        return folder_repository(root)

    async def look(session: Session) -> MirrorAccess:
        return await mirror_of(session, name, against.credentials, against.system_namespace)

    access = run(environment, look)
    return mirror_repository(name, access, spec.repository, spec.revision, environment.err.print)


def _compare(
    repository: Repository, spec: ModelApprovalSpec, profile: EngineProfile, progress: Progress
) -> int:
    """Bytes that were hashed; raises IntakeError with every file that differs."""
    listed = {file.path: ListedFile(file.path, file.size) for file in spec.files}
    examined = examine(repository, listed, profile)
    Findings(_unlike(spec, examined)).settle()

    def take(file: ApprovedFile) -> ManifestFile | IntakeError:
        try:
            start = examined.starts[file.path]
            return _same(file, hashed(repository, listed[file.path], start, progress))
        except IntakeError as error:
            return error

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        read = list(pool.map(take, sorted(spec.files, key=lambda file: file.path.encode())))
    Findings(each for each in read if isinstance(each, IntakeError)).settle()
    manifest = Manifest(tuple(each for each in read if isinstance(each, ManifestFile)))
    digest = manifests.digest(manifests.render(manifest))
    if digest != spec.manifest_digest:
        raise IntakeError(
            f"manifestDigest is {spec.manifest_digest}, but the manifest of these very files, with "
            f"their chunks, is {digest}",
            "sign no such approval: a draft computes the digest from the files",
        )
    return manifest.total_bytes


def _unlike(spec: ModelApprovalSpec, examined: Examined) -> Iterator[IntakeError]:
    """What the files say otherwise than the approval, before they are hashed."""
    for path in examined.selection.left_out:
        yield IntakeError(
            f"{path} is approved, and a draft would leave it out: it belongs to no model's format",
            "ask the requester for a draft by this version",
        )
    said = spec.architecture.model_dump(by_alias=True, exclude_none=True)
    found = examined.architecture.model_dump(by_alias=True, exclude_none=True)
    for name, value in said.items():
        if found.get(name) != value:
            yield IntakeError(
                f"architecture.{name} is {str(value)[:60]} in the approval, and by the files "
                f"{str(found.get(name))[:60]}",
                "ask the requester for a new draft; it may have been read for another version of "
                "vLLM (engine.version)",
            )


def _same(approved: ApprovedFile, file: ManifestFile) -> ManifestFile:
    if file.sha256 != approved.sha256:
        raise IntakeError(
            f"{file.path}: the bytes have sha256 {file.sha256}, approved is {approved.sha256}",
            "find out which of the two is the publisher's file, and who changed the other",
        )
    return file
