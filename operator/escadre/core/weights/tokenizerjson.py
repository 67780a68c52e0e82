"""A tokenizer.json, of Hugging Face's layout, held against what the tokenizers library needs of it.

Without a model the library ends at once (seen with 0.23.3); its rules for the rest are many, and
not repeated here. Called by the drafting tool. Pure.
"""

from collections.abc import Mapping
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.fieldfaults import shown

__all__ = ["check_tokenizer_json"]

_FILE: Final = "tokenizer.json"


def check_tokenizer_json(document: Mapping[str, object]) -> None:
    """Raises IntakeError where it describes no model with a vocabulary."""
    model = Part(_FILE, document).part("model")
    if not model:
        raise IntakeError(f"{_FILE}: model is missing")
    vocabulary = model.facts.get("vocab")
    if not isinstance(vocabulary, dict | list) or not vocabulary:
        raise IntakeError(f"{model.where}: vocab is {shown(vocabulary)}, and no token")
