"""Which flag a word of engine.extraArgs is to vLLM's parser, and whether it may stand there.

argparse takes the beginning of a name for the name, where it is the beginning of one only; vLLM
writes dashes for underscores and takes what follows a dot for a key of the flag's JSON. Asked by
settings.py; the table of a version is a file beside this one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["ENGINE_VERSION", "VERSION", "clashes", "meanings", "refusal", "table"]

ENGINE_VERSION: Final = "0.32"
# How a version is written, in full or not: 0.32, 0.32.1, v0.32.0rc1.
VERSION: Final = r"v?([0-9]{1,4})\.([0-9]{1,4})(\.[0-9A-Za-z.+-]{1,40})?"
_WHY: Final = {
    "reserved": "escadre sets it from the plan and the approval",
    "code": "it would load code, a model or a file that nobody approved",
    "statistics": "scaling needs the statistics and the queue as they are",
    "socket": "probes, Service and scaling need the server where it is, over plain HTTP",
    "parallelism": "how a replica is spread over GPUs is planned",
    "plan": "it may change the memory or the cache that a layout was planned with",
}
_ARGUMENT_LESS: Final = "0"
_OBJECT: Final = frozenset({"1", "?"})  # one word, which may be an object in JSON
_ARGUMENT_NEEDED: Final = frozenset({"1", "int", "float", "size", "+"})


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its first name, what follows it, and the verdict."""

    name: str
    follows: str
    verdict: str


@cache
def table(version: str = ENGINE_VERSION) -> dict[str, Flag]:
    """Every long name of a version's parser."""
    text = files("escadre").joinpath(f"vllm-{version}-flags.txt").read_text(encoding="utf-8")
    found: dict[str, Flag] = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        names, follows, verdict = line.split(" ")
        every = names.split(",")
        found |= {name: Flag(every[0], follows, verdict) for name in every if name[:2] == "--"}
    return found


def meanings(written: str) -> list[str]:
    """The flags that the parser may take ``--flag`` or ``--flag.key`` for: one, or it refuses."""
    name = written.partition(".")[0].replace("_", "-")
    flags = table()
    return [name] if name in flags else sorted(one for one in flags if one.startswith(name))


def refusal(word: str) -> str:
    """Why ``--flag`` or ``--flag=value`` may not be given, "" when it may."""
    written, equals, _ = word.partition("=")
    names = meanings(written)
    if not names:
        return f"{written}: vLLM {ENGINE_VERSION} has no such flag"
    if len(names) > 1:
        return f"{written}: vLLM takes it for one of {', '.join(names)} and refuses it"
    flag = table()[names[0]]
    shown = written if written == names[0] else f"{written} (for vLLM {names[0]})"
    if flag.verdict != "allowed":
        return f"{shown} must not be given: {_WHY[flag.verdict]}"
    if "." in written and flag.follows not in _OBJECT:
        return f"{shown} takes no keys"
    if equals and flag.follows == _ARGUMENT_LESS:
        return f"{shown} takes no value"
    if not equals and flag.follows in _ARGUMENT_NEEDED:
        return f"{shown} needs a value: {names[0]}=VALUE"
    return ""


def clashes(words: Sequence[str]) -> list[str]:
    """What is wrong with words that may be given one by one, a sentence each.

    From --flag.key=value the parser makes an object of its own, and drops the one of --flag.
    """
    whole: set[str] = set()
    keyed: set[str] = set()
    for word in words:
        written = word.partition("=")[0]
        (keyed if "." in written else whole).update(meanings(written))
    return [
        f"{name} is given as an object and by a key: vLLM {ENGINE_VERSION} drops the object, "
        "so write the key into it"
        for name in sorted(whole & keyed)
    ]
