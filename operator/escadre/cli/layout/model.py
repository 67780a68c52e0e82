"""A model from a file or folder on this machine, without hashing: facts, and bytes of its weights.

The files are read by the code that drafts approvals (core/weights), so a plan made from a folder is
the plan of its approval. Called by cli/layout; raises EscadreError naming the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from escadre.api.approval import Architecture, TensorBytes
from escadre.core.engines.textonly import encoder_bytes
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.core.weights.architecture import Dtype, Stored, read_facts, stored
from escadre.core.weights.declared import declared_dtype
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.intake import Selection, model_files
from escadre.core.weights.jsonfiles import LARGEST_JSON, check_json
from escadre.core.weights.numberformat import SEPARATE, NumberFormat, read_format
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import PREFIX, Tensor, header_size, read_tensors
from escadre.core.weights.shards import file_faults, index_faults, read_index, tensor_faults
from escadre.errors import EscadreError

__all__ = ["LocalModel", "read_model"]

_MISTRALS: Final = {"params.json": True, "config.json": False}  # whether it is of Mistral's layout
_MISTRAL_INDEX: Final = "consolidated.safetensors.index.json"


@dataclass(frozen=True, slots=True)
class LocalModel:
    """What the files say; ``weight_bytes`` and ``dtype`` are None where they do not say it.

    ``groups`` are the bytes of the tensors in groups, where their headers were read. ``path`` is
    what was given, None for a model of the catalog.
    """

    selection: Selection
    document: Mapping[str, object]
    weight_bytes: int | None
    dtype: Dtype | None
    numbers: NumberFormat | None
    profile: EngineProfile
    groups: TensorBytes | None = None
    path: Path | None = None

    @property
    def encoder_bytes(self) -> int:
        """Of the weights, those of the encoder of images or sound; 0 where nothing says it."""
        return encoder_bytes(self.groups)

    def architecture(self, weight_bytes: int) -> Architecture:
        """The facts with so many bytes of weights; raises EscadreError naming a wrong field.

        An unknown type stands as bfloat16: whoever judges the type looks at ``dtype`` first.
        """
        held = Stored(weight_bytes, self.dtype or "bfloat16", self.numbers, self.groups)
        try:
            return read_facts(self.selection, self.document, held, self.profile)
        except IntakeError as error:
            raise EscadreError(_told(self.path, error)) from error


def read_model(path: Path, profile: EngineProfile = DEFAULT_PROFILE) -> LocalModel:
    """Reads params.json or config.json, or a model's folder, as a version of vLLM would."""
    try:
        return replace(_folder(path, profile) if path.is_dir() else _file(path, profile), path=path)
    except IntakeError as error:
        raise EscadreError(_told(path, error)) from error
    except OSError as error:
        raise EscadreError(f"--config {path}: {error.filename}: {error.strerror}") from error


def _told(path: Path | None, error: IntakeError) -> str:
    """Of a file that was given by itself the name is said once, and what it was read as."""
    words = str(error)
    config, _, rest = words.partition(": ")
    if path is None:
        return words
    if path.is_dir() or config not in _MISTRALS:
        return f"--config {path}: {words}"
    read = "" if path.name == config else f", read as a {config}"
    return f"--config {path}{read}: {rest}"


def _file(path: Path, profile: EngineProfile) -> LocalModel:
    """Its name says what it is; of another name its content does."""
    document = _json(path)
    selection = _selection(_MISTRALS.get(path.name, "dim" in document))
    return _described(selection, document, None, profile)


def _folder(root: Path, profile: EngineProfile) -> LocalModel:
    names = sorted(path.name for path in root.iterdir() if path.is_file())
    layout, is_mistral = model_files(names)
    weights = [name for name in layout if name.endswith(".safetensors")]
    if not weights:
        is_mistral = _MISTRAL_INDEX in names or "config.json" not in names
    selection = _selection(is_mistral)
    if selection.config not in names:
        raise IntakeError(f"{selection.config} is missing, which describes the model")
    document = _json(root / selection.config)
    separate = _json(root / SEPARATE) if SEPARATE in names else None
    model = _described(selection, document, separate, profile)
    index = _index(root, is_mistral=is_mistral)
    if not weights:
        return replace(model, weight_bytes=_total(index))
    tensors = _whole(root, index, weights)
    held = stored(tensors, model.numbers, selection.config)
    return replace(model, weight_bytes=held.weight_bytes, dtype=held.dtype, groups=held.groups)


def _whole(root: Path, index: Mapping[str, object], weights: Sequence[str]) -> list[Tensor]:
    """The tensors of all weight files; refuses less, or more, than the index says."""
    findings = Findings()
    files = read_index("the index", index) if index else {}
    if files:
        findings.extend(file_faults("the index", files, weights))
        findings.settle()
    held = {name: list(_tensors(root / name)) for name in weights}
    findings.extend(tensor_faults(held))
    if files:
        findings.extend(index_faults("the index", files, held))
    findings.settle()
    return [tensor for tensors in held.values() for tensor in tensors]


def _described(
    selection: Selection,
    document: Mapping[str, object],
    separate: Mapping[str, object] | None,
    profile: EngineProfile,
) -> LocalModel:
    """As far as the configuration says it."""
    numbers = read_format(Part(selection.config, document), separate)
    dtype = declared_dtype(document, separate)
    return LocalModel(selection, document, None, dtype, numbers, profile)


def _selection(is_mistral: bool) -> Selection:
    kind: Final = "mistral" if is_mistral else "huggingface"
    return Selection(files=(), left_out=(), format=kind, tokenizer=kind)


def _json(path: Path) -> Mapping[str, object]:
    if path.stat().st_size > LARGEST_JSON:
        raise IntakeError(f"{path.name} is too large for a configuration")
    return check_json(path.name, path.read_bytes())


def _index(root: Path, *, is_mistral: bool) -> Mapping[str, object]:
    """The index of the weights, empty without one."""
    path = root / (_MISTRAL_INDEX if is_mistral else "model.safetensors.index.json")
    return _json(path) if path.exists() else {}


def _total(index: Mapping[str, object]) -> int | None:
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return total if type(total) is int and total > 0 else None


def _tensors(path: Path) -> Iterator[Tensor]:
    """The tensors by the file's header; its other bytes are not read."""
    size = path.stat().st_size
    with path.open("rb") as content:
        length = header_size(path.name, content.read(PREFIX), size)
        yield from read_tensors(path.name, content.read(length), size)
