"""Which files of a repository may be drafted into an approval: an allow list that fails closed.

Weights come as safetensors only; configuration and tokenizer as data files that load no code. When
a repository has both layouts, only Mistral's own is taken, because the engine reads one of them.
What is not on the list is left out and named; what is needed and missing, or would make a loader
run or fetch code, ends the draft. Called by the drafting tool. Pure.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from escadre.core.listing import listed
from escadre.core.weights.manifest import ManifestError, check_path
from escadre.errors import EscadreError

__all__ = [
    "LARGEST_JSON",
    "IntakeError",
    "Selection",
    "check_index",
    "check_json",
    "model_files",
    "select_files",
]

LARGEST_JSON: Final = 64 * 1024 * 1024  # bytes of a configuration or index that is read whole
_MISTRAL: Final = re.compile(
    r"consolidated[^/]*\.safetensors(\.index\.json)?|params\.json|hf_quant_config\.json"
)
_HUGGINGFACE: Final = re.compile(
    r"model[^/]*\.safetensors(\.index\.json)?"
    r"|(config|generation_config|preprocessor_config|processor_config|hf_quant_config)\.json"
)
_MISTRAL_TOKENIZER: Final = re.compile(r"tekken\.json|tokenizer\.model\.v[0-9]+[a-z0-9]*")
_HUGGINGFACE_TOKENIZER: Final = re.compile(
    r"(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json"
    r"|merges\.txt|tokenizer\.model"
)
_ALWAYS: Final = re.compile(r"(LICEN[CS]E|NOTICE)(\.(md|txt))?|SYSTEM_PROMPT\.txt|[^/]*\.jinja")
_CODE_KEYS: Final = frozenset({"auto_map", "_attn_implementation_internal", "model_file"})


class IntakeError(EscadreError):
    """The repository cannot be drafted as it is."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is drafted.

    Args:
        files: paths, in byte order.
        left_out: paths that are on the mirror and will not be on a node.
        format: layout of weights and configuration.
        tokenizer: whose tokenizer files.
    """

    files: tuple[str, ...]
    left_out: tuple[str, ...]
    format: Literal["mistral", "huggingface"]
    tokenizer: Literal["mistral", "huggingface"]

    @property
    def weights(self) -> tuple[str, ...]:
        """The safetensors files."""
        return tuple(path for path in self.files if path.endswith(".safetensors"))

    @property
    def config(self) -> str:
        """The file that describes the model."""
        return "params.json" if self.format == "mistral" else "config.json"


def select_files(paths: Iterable[str]) -> Selection:
    """Choose what is drafted; raises IntakeError, naming what is missing or ambiguous."""
    present = sorted(set(paths), key=lambda path: path.encode("utf-8", "surrogatepass"))
    layout, is_mistral = model_files(present)
    _need_weights(layout, present)
    config = "params.json" if is_mistral else "config.json"
    if config not in layout:
        raise IntakeError(f"{config} is missing, which describes the weights {layout[0]} …")
    tokenizer, kind = _tokenizer(present, prefer_mistral=is_mistral)
    always = [path for path in present if _ALWAYS.fullmatch(path)]
    chosen = {*layout, *tokenizer, *always}
    _check_names(chosen)
    return Selection(
        files=tuple(path for path in present if path in chosen),
        left_out=tuple(path for path in present if path not in chosen),
        format="mistral" if is_mistral else "huggingface",
        tokenizer=kind,
    )


def model_files(present: Iterable[str]) -> tuple[list[str], bool]:
    """Weights and configuration among the files, and whether they are in Mistral's own layout.

    Mistral's own when there are weights of it, else that of Hugging Face, without a look at what is
    missing: select_files judges that.
    """
    paths = list(present)
    mistral = [path for path in paths if _MISTRAL.fullmatch(path)]
    if any(path.endswith(".safetensors") for path in mistral):
        return mistral, True
    return [path for path in paths if _HUGGINGFACE.fullmatch(path)], False


def check_json(path: str, content: bytes) -> Mapping[str, object]:
    """Read a configuration file; refuses keys with which loaders run code from elsewhere."""
    try:
        document = json.loads(content)
        code = next((key for key in _keys(document) if key in _CODE_KEYS), None)
    except ValueError as error:
        raise IntakeError(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise IntakeError(f"{path} is nested too deeply for a configuration") from error
    if code is not None:
        raise IntakeError(f"{path} has the key {code}, which makes loaders run code")
    return document if isinstance(document, dict) else {}


def check_index(path: str, index: Mapping[str, object], weights: Iterable[str]) -> None:
    """Refuse an index that does not name exactly the drafted weight files."""
    mapped = index.get("weight_map")
    named = set(mapped.values()) if isinstance(mapped, dict) else set()
    expected = set(weights)
    if named != expected:
        differ = sorted(str(name) for name in named ^ expected)
        raise IntakeError(f"{path} and the weight files differ in: {listed(differ, 5)}")


def _need_weights(layout: list[str], present: list[str]) -> None:
    if any(path.endswith(".safetensors") for path in layout):
        return
    other = [path for path in present if path.endswith((".bin", ".pt", ".pth", ".ckpt", ".gguf"))]
    hint = f"; {listed(other, 3)} cannot be approved, such files may carry code" if other else ""
    raise IntakeError(f"no consolidated*.safetensors and no model*.safetensors{hint}")


def _tokenizer(
    present: list[str], *, prefer_mistral: bool
) -> tuple[list[str], Literal["mistral", "huggingface"]]:
    mistral = [path for path in present if _MISTRAL_TOKENIZER.fullmatch(path)]
    huggingface = [path for path in present if _HUGGINGFACE_TOKENIZER.fullmatch(path)]
    if mistral and (prefer_mistral or "tokenizer.json" not in huggingface):
        return mistral, "mistral"
    if "tokenizer.json" in huggingface or "tokenizer.model" in huggingface:
        return huggingface, "huggingface"
    raise IntakeError("no tokenizer: tekken.json, tokenizer.model.v* or tokenizer.json is needed")


def _check_names(chosen: Iterable[str]) -> None:
    folded: dict[str, str] = {}
    for path in sorted(chosen):
        try:
            check_path(path)
        except ManifestError as error:
            raise IntakeError(str(error)) from error
        if path.startswith("."):
            raise IntakeError(f"{path!r} is a hidden file")
        twin = folded.setdefault(path.casefold(), path)
        if twin != path:
            raise IntakeError(f"{twin!r} and {path!r} differ in upper and lower case only")


def _keys(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from _keys(value)
    elif isinstance(document, list):
        for value in document:
            yield from _keys(value)
