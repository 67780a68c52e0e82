"""What a file is instead of what its name says, by its first bytes.

A copy that went wrong leaves something under the right name: the pointer of a large file, the page
of a proxy, a compressed body. Every later check would fail too, with a message about JSON or
headers; this one names the cause. Called by the drafting tool before all other checks. Pure.
"""

import re
from typing import Final

from escadre.core.weights.findings import IntakeError

__all__ = ["LOOK", "check_disguise"]

LOOK: Final = 512  # bytes of a file's beginning that are enough

_POINTER: Final = re.compile(rb"version https?://[^\n ]{1,100}/(spec|v)/?[v0-9]")
_STEP_POINTER: Final = (
    "fetch the file itself (git lfs pull in the clone, or copy it from where it was downloaded), "
    "then draft again"
)
_STEP_PAGE: Final = "open its address in a browser to see what answers: a login or a proxy between?"
_STEP_SAVED: Final = "get the weights as safetensors: such files may carry code"
_STEP_PACKED: Final = "unpack it, and look for what packs files on their way here"
_OTHERWISE: Final = (
    (re.compile(rb"# xet version "), "a Xet pointer, not the file it stands for", _STEP_POINTER),
    (re.compile(rb"\s*<(!doctype html|html|head)\b", re.IGNORECASE), "an HTML page", _STEP_PAGE),
    (re.compile(rb"\s*<(\?xml|Error)\b"), "an XML document, as stores answer errors", _STEP_PAGE),
    (re.compile(rb"PK\x03\x04"), "a zip archive, as torch.save writes", _STEP_SAVED),
    (re.compile(rb"\x80[\x02-\x05](c|\x8a|\x95|\}|\]|\()"), "a Python pickle", _STEP_SAVED),
    (re.compile(rb"GGUF"), "a GGUF file", _STEP_SAVED),
    (re.compile(rb"\x1f\x8b\x08"), "gzip-compressed", _STEP_PACKED),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "zstd-compressed", _STEP_PACKED),
)


def check_disguise(path: str, start: bytes, size: int) -> None:
    """Raises IntakeError where a file of ``size`` bytes that begins so is of another kind.

    Args:
        path: of the file, for messages.
        start: its first bytes, LOOK of them or all.
        size: of the whole file.
    """
    if _POINTER.match(start):
        raise IntakeError(
            f"{path}: a git-lfs pointer of {size:,} bytes, not the file it stands for",
            _STEP_POINTER,
        )
    for beginning, kind, step in _OTHERWISE:
        if beginning.match(start):
            raise IntakeError(f"{path}: begins as {kind}, {size:,} bytes", step)
