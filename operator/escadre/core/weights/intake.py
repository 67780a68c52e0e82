"""Which files of a repository may be drafted into an approval: an allow list that fails closed.

Weights come as safetensors only; configuration and tokenizer as data files that load no code. When
a repository has both layouts, only Mistral's own is taken, because the engine reads one of them.
What is not on the list is left out and named; what is needed and missing, or would make a loader
run or fetch code, ends the draft. Called by the drafting tool. Pure.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from escadre.core.listing import listed
from escadre.core.weights.findings import Findings, IntakeError
from escadre.core.weights.manifest import MAX_FILES, ManifestError, check_path
from escadre.core.weights.shards import numbering_faults
from escadre.core.weights.tokenizernames import choose_tokenizer

__all__ = ["Selection", "foreseen", "model_files", "select_files"]

_MISTRAL: Final = re.compile(
    r"consolidated[^/]*\.safetensors(\.index\.json)?|params\.json|hf_quant_config\.json"
)
_HUGGINGFACE: Final = re.compile(
    r"model[^/]*\.safetensors(\.index\.json)?"
    r"|(config|generation_config|preprocessor_config|processor_config|hf_quant_config)\.json"
)
_BELOW: Final = re.compile(r".+/(consolidated|model)[^/]*\.safetensors")
_ALWAYS: Final = re.compile(r"(LICEN[CS]E|NOTICE)(\.(md|txt))?|SYSTEM_PROMPT\.txt|[^/]*\.jinja")


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
    """Choose what is drafted; raises IntakeError, naming all that is missing or ambiguous."""
    selection, findings = foreseen(paths)
    findings.settle()
    return selection


def foreseen(paths: Iterable[str]) -> tuple[Selection, Findings]:
    """What would be drafted, and what by the names alone cannot be.

    With findings the selection may lack what they name; what it has can be looked at all the same.
    """
    present = sorted(set(paths), key=lambda path: path.encode("utf-8", "surrogatepass"))
    layout, is_mistral = model_files(present)
    config = "params.json" if is_mistral else "config.json"
    tokenizer: list[str] = []
    kind: Literal["mistral", "huggingface"] = "mistral" if is_mistral else "huggingface"
    findings = Findings()
    with findings.collecting():
        _need_weights(layout, present)
        if config not in layout:
            raise IntakeError(
                f"{config} is missing, which describes the weights {layout[0]} …",
                "copy it from the same revision of the model's repository",
            )
    with findings.collecting():
        tokenizer, kind = choose_tokenizer(present, mistral=is_mistral)
    always = [path for path in present if _ALWAYS.fullmatch(path)]
    chosen = {*layout, *tokenizer, *always}
    findings.extend(_name_faults(chosen))
    if len(chosen) > MAX_FILES:
        findings.extend(
            [IntakeError(f"{len(chosen):,} files, an approval lists {MAX_FILES:,} at most")]
        )
    findings.extend(numbering_faults([path for path in layout if path.endswith(".safetensors")]))
    return Selection(
        files=tuple(path for path in present if path in chosen),
        left_out=tuple(path for path in present if path not in chosen),
        format="mistral" if is_mistral else "huggingface",
        tokenizer=kind,
    ), findings


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


def _need_weights(layout: list[str], present: list[str]) -> None:
    if any(path.endswith(".safetensors") for path in layout):
        return
    other = [path for path in present if path.endswith((".bin", ".pt", ".pth", ".ckpt", ".gguf"))]
    hint = f"; {listed(other, 3)} cannot be approved, such files may carry code" if other else ""
    below = sorted({path.rpartition("/")[0] for path in present if _BELOW.fullmatch(path)})
    step = f"give the folder that holds them: there are some in {listed(below, 3)}" if below else ""
    raise IntakeError(f"no consolidated*.safetensors and no model*.safetensors{hint}", step)


def _name_faults(chosen: Iterable[str]) -> Iterator[IntakeError]:
    folded: dict[str, str] = {}
    for path in sorted(chosen):
        try:
            check_path(path)
        except ManifestError as error:
            yield IntakeError(str(error))
        if path.startswith("."):
            yield IntakeError(f"{path!r} is a hidden file")
        twin = folded.setdefault(path.casefold(), path)
        if twin != path:
            yield IntakeError(f"{twin!r} and {path!r} differ in upper and lower case only")
