"""Looks at all that is to be drafted before the weights are hashed, and tells all findings.

Read are the names, the small files whole, and the headers of the weights; at 130 GB that is some
megabytes. What is drafted afterwards are the same bytes: drafting.py holds the beginnings that were
looked at here against those that are hashed. Called by cli/approve/drafting.py; writes nothing.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from escadre.api.approval import Architecture
from escadre.cli.approve.source import Repository
from escadre.clients.sources.protocol import ListedFile
from escadre.core.decimals import bytes_text
from escadre.core.profile import EngineProfile
from escadre.core.weights.architecture import Stored, read_architecture, read_facts
from escadre.core.weights.beside import BESIDE, check_beside, completed
from escadre.core.weights.disguise import LOOK, check_disguise
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.intake import Selection, foreseen
from escadre.core.weights.jsonfiles import LARGEST_JSON, check_json
from escadre.core.weights.numberformat import SEPARATE, check_served, read_format
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import PREFIX, Tensor, header_size, read_tensors
from escadre.core.weights.sentencepiece import LARGEST_MODEL, check_sentencepiece
from escadre.core.weights.shards import (
    check_layers,
    file_faults,
    index_faults,
    read_index,
    tensor_faults,
)
from escadre.core.weights.tekken import check_tekken
from escadre.core.weights.tokenizerjson import check_tokenizer_json
from escadre.core.weights.tokenizernames import version_of

__all__ = ["FILES_AT_ONCE", "Examined", "Start", "examine"]

FILES_AT_ONCE: Final = 4
_HEADER: Final = 256 * 1024  # most headers are shorter: one request instead of two
_STEP_FAULT: Final = "put the file itself there, readable for you, then draft again"

_STEP_ANEW: Final = (
    "copy the file anew from the model's repository, at this revision; if it is so there too, the "
    "model cannot be approved as it is"
)

_Document = Mapping[str, object]
_BY_NAME: Final[Mapping[str, Callable[[_Document], None]]] = {
    "tekken.json": check_tekken,
    "tokenizer.json": check_tokenizer_json,
}


@dataclass(frozen=True, slots=True)
class Start:
    """The first bytes of a file: how many, and their digest."""

    size: int
    sha256: bytes

    @classmethod
    def of(cls, content: bytes) -> "Start":
        """Of these bytes."""
        return cls(len(content), hashlib.sha256(content).digest())


@dataclass(frozen=True, slots=True)
class Examined:
    """What may be hashed.

    Args:
        selection: what is drafted.
        architecture: the planner's facts of it.
        starts: by path, the beginning of each file that all this was read from.
    """

    selection: Selection
    architecture: Architecture
    starts: Mapping[str, Start]


@dataclass(frozen=True, slots=True)
class _Look:
    """What was seen of one file; what does not apply to it is None."""

    start: Start | None = None
    document: _Document | None = None
    tensors: tuple[Tensor, ...] | None = None
    fault: IntakeError | None = None


def examine(
    repository: Repository, listed: Mapping[str, ListedFile], profile: EngineProfile
) -> Examined:
    """Look at everything, as a version of vLLM would read it.

    Raises:
        IntakeError: all that cannot be approved.
        Refusal: faults of the mirror.
    """
    selection, findings = foreseen(listed)
    beside = (BESIDE,) if selection.format == "mistral" and BESIDE in listed else ()
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        paths = (*selection.files, *beside)
        seen = pool.map(lambda path: _look(repository, listed[path]), paths)
        looks = dict(zip(paths, seen, strict=True))
    config = looks.get(selection.config, _Look()).document
    if config is not None:
        with findings.collecting():
            selection = completed(selection, config)
    looks = {path: looks[path] for path in selection.files}
    findings.extend(look.fault for look in looks.values() if look.fault)
    judged = Findings()
    architecture = _judged(selection, looks, profile, judged)
    findings.extend(_with_step(error) for error in judged)
    findings.settle()
    if architecture is None:
        raise IntakeError(f"{selection.config} could not be read")
    starts = {path: look.start for path, look in looks.items() if look.start is not None}
    return Examined(selection, architecture, starts)


def _look(repository: Repository, file: ListedFile) -> _Look:
    """One file, as far as it is needed."""
    if file.fault:
        return _Look(fault=IntakeError(f"{file.path}: {file.fault}", _STEP_FAULT))
    try:
        return _seen(repository, file)
    except IntakeError as error:
        return _Look(fault=_with_step(error))


def _with_step(error: IntakeError) -> IntakeError:
    return error if error.step else IntakeError(error.message, _STEP_ANEW)


def _seen(repository: Repository, file: ListedFile) -> _Look:
    path, size = file.path, file.size
    if path.endswith(".safetensors"):
        start = repository.begin(file, _HEADER)
        check_disguise(path, start, size)
        end = PREFIX + header_size(path, start, size)
        if end > len(start):
            start = repository.begin(file, end)
        return _Look(Start.of(start[:end]), tensors=read_tensors(path, start[PREFIX:end], size))
    if path.endswith(".json"):
        content = _whole(repository, file, LARGEST_JSON)
        document = check_json(path, content)
        if path in _BY_NAME:
            _BY_NAME[path](document)
        return _Look(Start.of(content), document=document)
    if path.startswith("tokenizer.model"):
        content = _whole(repository, file, LARGEST_MODEL)
        check_sentencepiece(path, content, version_of(path))
        return _Look(Start.of(content))
    start = repository.begin(file, LOOK)
    check_disguise(path, start, size)
    return _Look(Start.of(start))


def _whole(repository: Repository, file: ListedFile, most: int) -> bytes:
    if file.size > most:
        raise IntakeError(
            f"{file.path}: {bytes_text(file.size)}, such a file may have {bytes_text(most)}"
        )
    content = repository.begin(file, file.size)
    check_disguise(file.path, content, file.size)
    return content


def _judged(
    selection: Selection, looks: Mapping[str, _Look], profile: EngineProfile, findings: Findings
) -> Architecture | None:
    """What follows from several files together; None where too little of them could be read."""
    held = {path: looks[path].tensors or () for path in selection.weights}
    whole = bool(held) and all(looks[path].tensors is not None for path in held)
    for path, look in looks.items():
        if path.endswith(".index.json") and look.document is not None:
            with findings.collecting():
                index = read_index(path, look.document)
                findings.extend(file_faults(path, index, held))
                findings.extend(index_faults(path, index, held) if whole else ())
    findings.extend(tensor_faults(held))
    documents = {path: look.document for path, look in looks.items() if look.document is not None}
    if selection.config not in documents:
        return None
    with findings.collecting():
        check_beside(selection, documents[selection.config], lambda path: documents.get(path, {}))
    architecture = None
    with findings.collecting():
        architecture = _facts(selection, documents, held if whole else {}, profile)
    if architecture is not None and whole:
        with findings.collecting():
            check_layers(selection.config, architecture.layers, held)
    return architecture


def _facts(
    selection: Selection,
    documents: Mapping[str, _Document],
    held: Mapping[str, tuple[Tensor, ...]],
    profile: EngineProfile,
) -> Architecture:
    """The planner's facts; of the configuration alone where the weights could not be read."""
    config, separate = documents[selection.config], documents.get(SEPARATE)
    numbers = read_format(Part(selection.config, config), separate)
    if numbers is not None:
        check_served(selection.config, numbers.method, profile)
    if not held:
        return read_facts(selection, config, Stored(1, "bfloat16", numbers), profile)
    tensors = [tensor for each in held.values() for tensor in each]
    return read_architecture(selection, config, tensors, separate, profile)
