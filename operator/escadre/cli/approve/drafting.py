"""Makes a draft: hashes every byte once, checks what can be checked, reads the planner's facts.

The digests are computed here, from bytes; what a mirror says of itself is only held against them.
Called by cli/approve/draft.py; writes nothing.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Final

from escadre.api.approval import Architecture
from escadre.cli.approve.source import Repository
from escadre.clients.sources.protocol import ListedFile
from escadre.core.decimals import bytes_text
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.weights import manifest as manifests
from escadre.core.weights.architecture import Stored, read_architecture, read_facts
from escadre.core.weights.beside import check_beside, completed
from escadre.core.weights.digesting import FileDigester
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.intake import Selection, select_files
from escadre.core.weights.jsonfiles import LARGEST_JSON, check_json
from escadre.core.weights.manifest import Manifest, ManifestFile
from escadre.core.weights.numberformat import (
    SEPARATE,
    NumberFormat,
    check_served,
    read_format,
)
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import PREFIX, Tensor, header_size, read_tensors
from escadre.core.weights.shards import file_faults, index_faults, read_index, tensor_faults

__all__ = ["Draft", "Progress", "make_draft"]

_FILES_AT_ONCE: Final = 4

Progress = Callable[[str, int, int], None]  # path, bytes that came, size


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be approved."""

    manifest: Manifest
    text: bytes
    digest: str
    architecture: Architecture
    selection: Selection


def make_draft(
    source: Repository, progress: Progress, profile: EngineProfile = DEFAULT_PROFILE
) -> Draft:
    """Read everything and put it together, as a version of vLLM would read it.

    Raises:
        IntakeError: what cannot be approved, naming file and cause.
        Refusal: faults of the mirror.
    """
    listed = {file.path: file for file in source.files()}
    selection = _foreseen(source, listed, profile)
    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        read = list(pool.map(lambda path: _read(source, listed[path], progress), selection.files))
    kept = {each.path: each.kept for each in read}
    documents = {
        path: check_json(path, kept[path]) for path in selection.files if path.endswith(".json")
    }
    findings = Findings()
    held = {each.path: each.tensors for each in read if each.path in selection.weights}
    for path, document in documents.items():
        if path.endswith(".index.json"):
            index = read_index(path, document)
            findings.extend(file_faults(path, index, selection.weights))
            findings.extend(index_faults(path, index, held))
    findings.extend(tensor_faults(held))
    findings.settle()
    if completed(selection, documents[selection.config]) != selection:
        raise _changed(selection)
    _checked(selection, documents.__getitem__, profile)
    manifest = Manifest(tuple(each.file for each in read))
    text = manifests.render(manifest)
    tensors = [tensor for each in read for tensor in each.tensors]
    separate = documents.get(SEPARATE)
    config = documents[selection.config]
    architecture = read_architecture(selection, config, tensors, separate, profile)
    return Draft(manifest, text, manifests.digest(text), architecture, selection)


def _foreseen(
    source: Repository, listed: Mapping[str, ListedFile], profile: EngineProfile
) -> Selection:
    """What is drafted; refuses what its configuration alone rules out, before hours of hashing.

    The files are read again with the others: what is drafted comes from the bytes that are hashed.
    """

    @cache
    def document(path: str) -> Mapping[str, object]:
        start = _Start(listed[path])
        source.read(listed[path], start.take)
        return check_json(path, bytes(start.kept))

    selection = select_files(listed)
    config = document(selection.config)
    chosen = completed(selection, config)
    numbers = _checked(chosen, document, profile)
    read_facts(chosen, config, Stored(1, "bfloat16", numbers), profile)
    return chosen


def _checked(
    selection: Selection, document: Callable[[str], Mapping[str, object]], profile: EngineProfile
) -> NumberFormat | None:
    """In which numbers the weights are; refuses what the configuration rules out.

    Asked of what is read first and again of the bytes that are hashed: a mirror may change.
    """
    config = document(selection.config)
    check_beside(selection, config, document)
    separate = document(SEPARATE) if SEPARATE in selection.files else None
    numbers = read_format(Part(selection.config, config), separate)
    if numbers is not None:
        check_served(selection.config, numbers.method, profile)
    return numbers


def _changed(selection: Selection) -> IntakeError:
    return IntakeError(
        f"{selection.config} needs other files beside it than when it was read first: somebody "
        "changes the files; wait until they stay as they are, then draft again"
    )


@dataclass(frozen=True, slots=True)
class _Read:
    path: str
    file: ManifestFile
    kept: bytes
    tensors: tuple[Tensor, ...]


def _read(source: Repository, listed: ListedFile, progress: Progress) -> _Read:
    digester, start = FileDigester(), _Start(listed)

    def take(piece: bytes) -> None:
        digester.take(piece)
        start.take(piece)
        progress(listed.path, len(piece), listed.size)

    source.read(listed, take)
    file = digester.finish(listed.path)
    _check_listed(listed, file)
    return _Read(listed.path, file, bytes(start.kept), start.tensors())


def _check_listed(listed: ListedFile, file: ManifestFile) -> None:
    if file.size != listed.size:
        raise IntakeError(f"{listed.path}: {file.size:,} bytes came, {listed.size:,} were listed")
    if listed.sha256 and listed.sha256 != file.sha256:
        raise IntakeError(
            f"{listed.path}: the bytes have sha256 {file.sha256}, but the mirror lists "
            f"{listed.sha256}; they were damaged, or the mirror's list is of another file"
        )


class _Start:
    """Keeps what is needed of a file: all of a JSON file, the header of a safetensors file."""

    def __init__(self, listed: ListedFile) -> None:
        self._listed = listed
        self._weights = listed.path.endswith(".safetensors")
        self._wanted = PREFIX if self._weights else 0
        if listed.path.endswith(".json"):
            self._wanted = listed.size
            if listed.size > LARGEST_JSON:
                raise IntakeError(
                    f"{listed.path}: {bytes_text(listed.size)}, a JSON file may have "
                    f"{bytes_text(LARGEST_JSON)}"
                )
        self.kept = bytearray()

    def take(self, piece: bytes) -> None:
        """Keep the beginning of what is still wanted."""
        while piece and len(self.kept) < self._wanted:
            part = piece[: self._wanted - len(self.kept)]
            self.kept += part
            piece = piece[len(part) :]
            if self._weights and len(self.kept) == PREFIX:
                size = header_size(self._listed.path, bytes(self.kept), self._listed.size)
                self._wanted = PREFIX + size

    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors of a weights file; none of another."""
        if not self._weights:
            return ()
        path, size = self._listed.path, self._listed.size
        header_size(path, bytes(self.kept), size)  # too short to have been looked at on the way
        return read_tensors(path, bytes(self.kept[PREFIX:]), size)
