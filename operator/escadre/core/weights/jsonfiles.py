"""A configuration file as its loaders read it: UTF-8, one JSON object, no key that loads code.

Called by the drafting tool and `escadre layout`. Pure.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from escadre.core.weights.findings import IntakeError
from escadre.fieldfaults import shown

__all__ = ["LARGEST_JSON", "check_json"]

LARGEST_JSON: Final = 64 * 1024 * 1024  # bytes of a configuration or index that is read whole
_CODE_KEYS: Final = frozenset({"auto_map", "_attn_implementation_internal", "model_file"})


def check_json(path: str, content: bytes) -> Mapping[str, object]:
    """Read a configuration file; refuses keys with which loaders run code from elsewhere."""
    try:
        document = json.loads(content.decode())
        code = next((key for key in _keys(document) if key in _CODE_KEYS), None)
    except UnicodeDecodeError as error:
        raise IntakeError(
            f"{path} is not UTF-8 at byte {error.start}, and loaders read it as nothing else"
        ) from error
    except ValueError as error:
        raise IntakeError(f"{path} is not JSON: {error}") from error
    except RecursionError as error:
        raise IntakeError(f"{path} is nested too deeply for a configuration") from error
    if code is not None:
        raise IntakeError(
            f"{path} has the key {code}, which makes loaders run code",
            "look for the same model without code of its own, e.g. in Mistral's own layout",
        )
    if not isinstance(document, dict):
        raise IntakeError(f"{path} holds {_kind(document)}, not an object with names")
    return document


def _kind(document: object) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(document), shown(document))


def _keys(document: object) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from _keys(value)
    elif isinstance(document, list):
        for value in document:
            yield from _keys(value)
