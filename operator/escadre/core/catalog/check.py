"""Holds a draft against what is published of its model: the files win, a contradiction is shown.

`escadre approve draft` tells what comes of it to whoever reads the draft before it is signed. Pure.
"""

from typing import Final

from escadre.api.approval import Architecture
from escadre.core.approvals.licences import LOOK
from escadre.core.catalog.entry import Entry
from escadre.core.decimals import bytes_text

__all__ = ["contradictions", "other_licence"]

_COMPARED: Final = {
    "dtype": "type of the weights",
    "hidden_size": "width",
    "intermediate_size": "feed-forward width",
    "layers": "layers",
    "attention_heads": "attention heads",
    "key_value_heads": "key-value heads",
    "head_dimension": "dimension of a head",
    "vocabulary_size": "vocabulary",
    "vision_heads": "heads of the vision encoder",
    "audio_heads": "heads of the audio encoder",
    "latent_attention": "latent attention",
    "sliding_window": "window of the layers",
    "experts": "experts",
}
_PERCENT: Final = 5  # sources round, and some count without the encoder


def contradictions(entry: Entry, read: Architecture) -> tuple[str, ...]:
    """What the files say otherwise than the catalog, and how their limit is to be read."""
    told = entry.architecture
    if told is None:
        return (f"no layout is planned for {entry.family}: {entry.unserved}",)
    found = [
        f"{words}: {_plain(getattr(read, name))} in the files, {_plain(getattr(told, name))} in "
        "the catalog"
        for name, words in _COMPARED.items()
        if getattr(read, name) != getattr(told, name)
    ]
    if abs(read.weight_bytes - told.weight_bytes) * 100 > told.weight_bytes * _PERCENT:
        found.append(
            f"bytes of the weights: {bytes_text(read.weight_bytes)} in the files, "
            f"{bytes_text(told.weight_bytes)} in the catalog"
        )
    return (*found, *_context(entry, read.max_context_length, told.max_context_length))


def other_licence(entry: Entry, spdx: str) -> tuple[str, ...]:
    """That a draft names another licence than is published; terms of one's own have any name."""
    own = all(one.startswith("LicenseRef-") for one in (spdx, entry.licence))
    if own or spdx == entry.licence:
        return ()
    return (f"licence: {spdx} in the draft, {entry.licence} in the catalog; {LOOK}",)


def _context(entry: Entry, read: int, known: int) -> list[str]:
    found = []
    if read != known:
        found.append(f"longest context: {read:,} in the files, {known:,} in the catalog")
    if entry.documented and read > entry.documented:
        found.append(
            f"Mistral documents {entry.documented:,} tokens for {entry.family}; the files allow "
            f"{read:,}"
        )
    return found


def _plain(value: object) -> str:
    """A number, or the numbers of a part; "none" where it is missing."""
    if value is None:
        return "none"
    parts = getattr(value, "model_dump", None)
    return ", ".join(f"{k} {v}" for k, v in parts().items()) if parts else str(value)
