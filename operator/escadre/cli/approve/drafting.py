"""Makes a draft: looks at everything first, then hashes every byte once.

The digests are computed here, from bytes; what a mirror says of itself is only held against them.
Called by cli/approve/draft.py; writes nothing.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from escadre.api.approval import Architecture
from escadre.cli.approve.examining import FILES_AT_ONCE, Start, examine
from escadre.cli.approve.source import Repository
from escadre.clients.modelcard import CARD, LARGEST_CARD
from escadre.clients.sources.protocol import Data, ListedFile
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.weights import manifest as manifests
from escadre.core.weights.digesting import FileDigester
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.intake import Selection
from escadre.core.weights.manifest import Manifest, ManifestFile

__all__ = ["Draft", "Progress", "hashed", "make_draft"]

Progress = Callable[[str, int, int], None]  # path, bytes that came, size


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be approved."""

    manifest: Manifest
    text: bytes
    digest: str
    architecture: Architecture
    selection: Selection
    card: str = ""  # the model's own words; not approved, and on no node


def make_draft(
    source: Repository, progress: Progress, profile: EngineProfile = DEFAULT_PROFILE
) -> Draft:
    """Read everything and put it together, as a version of vLLM would read it.

    Raises:
        IntakeError: all that cannot be approved, naming file and cause.
        Refusal: faults of the mirror.
    """
    listed = _once(source.files())
    examined = examine(source, listed, profile)

    def take(path: str) -> ManifestFile | IntakeError:
        try:
            return hashed(source, listed[path], examined.starts[path], progress)
        except IntakeError as error:
            return error

    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        read = list(pool.map(take, examined.selection.files))
    Findings(each for each in read if isinstance(each, IntakeError)).settle()
    manifest = Manifest(tuple(each for each in read if isinstance(each, ManifestFile)))
    text = manifests.render(manifest)
    digest = manifests.digest(text)
    card = _card(source, listed)
    return Draft(manifest, text, digest, examined.architecture, examined.selection, card)


def _card(source: Repository, listed: Mapping[str, ListedFile]) -> str:
    """The beginning of the model's card; nothing hangs on it, so a broken one is none."""
    if CARD not in listed or listed[CARD].fault:
        return ""
    try:
        return source.begin(listed[CARD], LARGEST_CARD).decode("utf-8", "replace")
    except IntakeError:
        return ""


def _once(files: Iterable[ListedFile]) -> Mapping[str, ListedFile]:
    """By path; one that is listed twice is kept with that fault."""
    listed: dict[str, ListedFile] = {}
    for file in files:
        twice = file.path in listed and listed[file.path] != file
        listed[file.path] = replace(file, fault="is listed twice, as two files") if twice else file
    return listed


def hashed(
    source: Repository, listed: ListedFile, start: Start, progress: Progress
) -> ManifestFile:
    """Hash a file whose beginning was looked at already.

    Raises:
        IntakeError: it is not what was listed, or it begins otherwise than what was looked at.
    """
    digester, beginning = FileDigester(), _Beginning(start.size)

    def take(piece: Data) -> None:
        digester.take(piece)
        beginning.take(piece)
        progress(listed.path, len(piece), listed.size)

    source.read(listed, take)
    file = digester.finish(listed.path)
    _check_listed(listed, file)
    if beginning.digest() != start.sha256:
        raise IntakeError(
            f"{listed.path} was another file when it was looked at than when it was hashed",
            "see who changes it; wait until it stays as it is, then draft again",
        )
    return file


def _check_listed(listed: ListedFile, file: ManifestFile) -> None:
    if file.size != listed.size:
        raise IntakeError(f"{listed.path}: {file.size:,} bytes came, {listed.size:,} were listed")
    if listed.sha256 and listed.sha256.lower() != file.sha256:
        raise IntakeError(
            f"{listed.path}: the bytes have sha256 {file.sha256}, but the mirror lists "
            f"{listed.sha256}; they were damaged, or the mirror's list is of another file",
            "have the file put on the mirror anew, and draft from the folder it came from",
        )


class _Beginning:
    """Hashes the first bytes of what passes."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._sha256 = hashlib.sha256()

    def take(self, piece: Data) -> None:
        """The next bytes."""
        if self._left:
            part = piece[: self._left]
            self._sha256.update(part)
            self._left -= len(part)

    def digest(self) -> bytes:
        """Of as many of them as were asked for."""
        return self._sha256.digest()
