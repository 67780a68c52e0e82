"""The type of the weights as a configuration alone says it; the headers, where they are, decide.

`escadre layout` asks it when only params.json or config.json is there. Pure.
"""

from collections.abc import Mapping
from typing import Final

from escadre.core.weights.architecture import Dtype

__all__ = ["declared_dtype"]

_PLAIN: Final[Mapping[str, Dtype]] = {
    "bfloat16": "bfloat16",
    "float16": "float16",
    "float32": "float32",
}


def declared_dtype(document: Mapping[str, object]) -> Dtype | None:
    """The type, None where the file does not say it in words known here.

    A params.json without ``quantization`` is bfloat16, as Mistral publishes its models; FP8 is
    known by name, other quantisation is not.
    """
    for key, method in (
        ("quantization_config", "quant_method"),
        ("quantization", "qformat_weight"),
    ):
        quantised = document.get(key)
        if quantised is not None:
            named = quantised.get(method) if isinstance(quantised, dict) else None
            return "float8" if str(named).startswith("fp8") else None
    if "dim" in document:
        return "bfloat16"
    text = document.get("text_config")
    for part in (document, text if isinstance(text, dict) else {}):
        for key in ("dtype", "torch_dtype"):
            if key in part:
                return _PLAIN.get(str(part[key]))
    return None
