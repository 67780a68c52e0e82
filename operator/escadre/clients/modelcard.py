"""What a repository's model card (README.md) says of its licence.

The hub's own library reads the card, as it does on the hub; it is imported here and nowhere else,
and asks nobody: it is given the text.
"""

import logging
import os
from dataclasses import dataclass
from typing import Final

__all__ = ["CARD", "LARGEST_CARD", "CardLicence", "licence_of"]

CARD: Final = "README.md"
LARGEST_CARD: Final = 1024 * 1024  # bytes that are read; the metadata stand first


@dataclass(frozen=True, slots=True)
class CardLicence:
    """``id`` as the hub writes licences, e.g. apache-2.0; other when ``name`` says which."""

    id: str
    name: str = ""


def licence_of(text: str) -> CardLicence | None:
    """The licence in a card's metadata; None when there is no card, none in it, or it is broken."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read once, at the library's import
    import yaml  # noqa: PLC0415 - as below
    from huggingface_hub import ModelCard  # noqa: PLC0415 - takes a second, needed for drafting only

    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
    try:
        data: dict[str, object] = vars(ModelCard(text).data)
    except (ValueError, TypeError, yaml.YAMLError):
        return None
    found, name = data.get("license"), data.get("license_name")
    if not isinstance(found, str):
        return None
    return CardLicence(found[:128], name[:128] if isinstance(name, str) else "")
