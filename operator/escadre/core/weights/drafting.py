"""Draft models, which guess tokens for another model to check: told by their files, and refused.

vLLM runs one beside the model that it drafts for (--speculative-config, which is the operator's to
set, and it sets none): its weights and the cache of its layers would come out of the same GPUs, and
its files would have to be approved and pulled with the others. By itself it serves nothing. Called
by architecture.py, for every way that files come in. Pure.
"""

import re
from collections.abc import Iterable
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.core.weights.safetensors import Tensor

__all__ = ["NO_DRAFTS", "check_draft_tensors", "check_no_draft"]

NO_DRAFTS: Final = "serves nothing by itself, and engines are planned without draft models"
_STEP: Final = "Give the model that it drafts for."
# vllm-project/vllm:vllm/model_executor/models/registry.py _SPECULATIVE_DECODING_MODELS.
_CLASSES: Final = re.compile(
    r"P?[Ee]agle|D(Flash|Spark)|Medusa|MLPSpeculator|MTP(Model)?$|DraftModel$|ExtractHiddenStates"
)
# vllm/config/speculative.py; speculators_* is what the library of that name writes.
_KINDS: Final = frozenset({"eagle", "medusa", "mlp_speculator", "speculators"})
_KEYS: Final = ("speculators_model_type", "speculators_config", "eagle_config")
_TENSOR: Final = "eagle_linear."  # Mistral's own layout; its params.json says nothing of it


def check_no_draft(config: Part) -> None:
    """Raises IntakeError for a params.json or config.json of a draft model."""
    named = config.facts.get("architectures")
    names = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    marks = [f"architectures: {name[:64]}" for name in names if _CLASSES.search(name)]
    if (kind := config.text("model_type")) in _KINDS:
        marks.append(f"model_type: {kind}")
    marks += [key for key in _KEYS if config.facts.get(key)]
    if marks:
        raise IntakeError(f"{config.where}: {marks[0]}: a draft model {NO_DRAFTS}", _STEP)


def check_draft_tensors(tensors: Iterable[Tensor]) -> None:
    """The same by the names of its weights, where the configuration is silent."""
    name = next((one.name for one in tensors if one.name.startswith(_TENSOR)), None)
    if name is not None:
        raise IntakeError(f"{name} among the weights: a draft model {NO_DRAFTS}", _STEP)
