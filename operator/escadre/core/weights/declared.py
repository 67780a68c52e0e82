"""The type of the weights as a configuration alone says it; the headers, where they are, decide.

`escadre layout` asks it when only params.json or config.json is there. Pure.
"""

from collections.abc import Mapping
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.core.weights.numberformat import Dtype, read_format
from escadre.core.weights.reading import Part

__all__ = ["declared_dtype"]

_PLAIN: Final[Mapping[str, Dtype]] = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "float32",
}


def declared_dtype(
    document: Mapping[str, object], separate: Mapping[str, object] | None = None
) -> Dtype | None:
    """The type, None where the file does not say it in words known here.

    Quantised weights have that of their metadata, which ModelOpt may keep in a ``separate`` file; a
    params.json without is bfloat16, as Mistral publishes its models.
    """
    try:
        numbers = read_format(Part("", document), separate)
    except IntakeError:
        return None
    if numbers is not None:
        return numbers.dtypes[0] if len(numbers.dtypes) == 1 else None
    if "dim" in document:
        return "bfloat16"
    text = document.get("text_config")
    for part in (document, text if isinstance(text, dict) else {}):
        for key in ("dtype", "torch_dtype"):
            if key in part:
                return _PLAIN.get(str(part[key]))
    return None
