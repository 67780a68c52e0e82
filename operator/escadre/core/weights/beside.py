"""The config.json of Hugging Face's layout that some models in Mistral's own need beside them.

vLLM 0.32 knows experts without a shared one as Mixtral, but takes how many there are from a
config.json beside the params.json, never from it, and ends at the first layer where there is none
(vllm-project/vllm:vllm/transformers_utils/configs/mistral.py, findings/vllm-mixtral-params.sh).
Asked at drafting, before anything is hashed. Pure.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from escadre.core.weights.intake import IntakeError, Selection
from escadre.core.weights.reading import Part

__all__ = ["BESIDE", "check_beside", "completed"]

BESIDE: Final = "config.json"
_SAME: Final = (
    ("num_experts", "num_local_experts"),
    ("num_experts_per_tok", "num_experts_per_tok"),
)


def completed(selection: Selection, config: Mapping[str, object]) -> Selection:
    """The selection with that file, if the model needs it; raises IntakeError if it lacks."""
    if not _needed(selection, config):
        return selection
    if BESIDE not in selection.left_out:
        raise IntakeError(
            f"{selection.config} describes experts without a shared one, and vLLM reads how many "
            f"from a {BESIDE} beside it, which is missing: add that of the same revision"
        )
    files = sorted((*selection.files, BESIDE), key=lambda path: path.encode())
    left_out = tuple(path for path in selection.left_out if path != BESIDE)
    return replace(selection, files=tuple(files), left_out=left_out)


def check_beside(
    selection: Selection, config: Mapping[str, object], beside: Mapping[str, object]
) -> None:
    """Raises IntakeError where the two files say different numbers of experts."""
    moe = Part(selection.config, config).part("moe")
    other = Part(BESIDE, beside)
    for ours, theirs in _SAME:
        if moe.number(ours) != other.number(theirs):
            raise IntakeError(
                f"{moe.where}: {ours} is {moe.number(ours)}, but {BESIDE} says {theirs} "
                f"{other.number(theirs)}, and vLLM would take that: are they of one revision?"
            )


def _needed(selection: Selection, config: Mapping[str, object]) -> bool:
    moe = Part(selection.config, config).part("moe")
    alone = selection.format == "mistral" and bool(moe)
    return alone and moe.number("num_shared_experts", default=0) == 0
