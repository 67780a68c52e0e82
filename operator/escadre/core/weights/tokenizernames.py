"""Which tokenizer files belong to a model: mistral-common goes by their names.

It takes a tekken.json, else a sentencepiece model whose name ends in its version: .v3, .v7m1 with
images; of several the last by the order of text. The same bytes under the name of another version
give other tokens, without a warning (findings/mistral-tokenizer-name.sh). So the one file that it
would take is drafted, and a name that it does not know is refused. Pure.
"""

import re
from collections.abc import Sequence
from typing import Final, Literal

from escadre.core.listing import listed
from escadre.core.weights.findings import IntakeError

__all__ = ["VERSIONS", "choose_tokenizer", "version_of"]

VERSIONS: Final = ("v1", "v2", "v3", "v7", "v11", "v13", "v15")  # of mistral-common 1.13
_IN_A_NAME: Final = VERSIONS[: VERSIONS.index("v13")]  # later ones are only in a tekken.json
_NAMED: Final = re.compile(r"tokenizer\.model\.(.+)")
_KNOWN: Final = re.compile(rf"({'|'.join(_IN_A_NAME)})(m1)?")
_LIKE_TEKKEN: Final = re.compile(r".*tekken.*\.json", re.IGNORECASE)
_HUGGINGFACE: Final = re.compile(
    r"(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template)\.json"
    r"|merges\.txt|tokenizer\.model"
)
_STEP: Final = "give it the name that it has in the model's own repository, then draft again"

Kind = Literal["mistral", "huggingface"]


def version_of(path: str) -> str:
    """The version that mistral-common reads from a sentencepiece model's name, "" if none."""
    named = _NAMED.fullmatch(path)
    known = _KNOWN.fullmatch(named[1]) if named else None
    return known[1] if known else ""


def choose_tokenizer(present: Sequence[str], *, mistral: bool) -> tuple[list[str], Kind]:
    """The tokenizer's files, and whose they are; raises IntakeError.

    Args:
        present: the files there are.
        mistral: whether the weights are in Mistral's own layout.
    """
    huggingface = [path for path in present if _HUGGINGFACE.fullmatch(path)]
    if mistral or "tokenizer.json" not in huggingface:
        known = sorted(path for path in present if version_of(path))
        if "tekken.json" in present or known:
            return ["tekken.json"] if "tekken.json" in present else known[-1:], "mistral"
    if "tokenizer.json" not in huggingface:
        _need_name(present, mistral=mistral)
    return huggingface, "huggingface"


def _need_name(present: Sequence[str], *, mistral: bool) -> None:
    """Refuses what is there in place of a tokenizer.json and of what mistral-common takes."""
    named = sorted(path for path in present if _NAMED.fullmatch(path))
    if named:
        raise IntakeError(
            f"{listed(named, 3)}: mistral-common reads the version from this name and knows "
            f"{', '.join(_IN_A_NAME)}, with or without m1 behind",
            _STEP,
        )
    if "tokenizer.model" not in present:
        raise IntakeError(*_none(present))
    if mistral:
        raise IntakeError(
            "tokenizer.model: mistral-common reads the version from the name, and this one says "
            "none: it would be read as v1, whatever it is",
            "give it the name that its own repository has for it, like tokenizer.model.v3",
        )


def _none(present: Sequence[str]) -> tuple[str, str]:
    message = "no tokenizer: tekken.json, tokenizer.model.v* or tokenizer.json is needed"
    near = [path for path in present if _LIKE_TEKKEN.fullmatch(path)]
    if not near:
        return message, "copy it from the same revision of the model's repository"
    return f"{message}; mistral-common does not look at {listed(near, 3)}", _STEP
