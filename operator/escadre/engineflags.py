"""Which flags each version of vLLM has, and which of them engine.extraArgs may hold.

argparse takes the beginning of a name for the name, where it is the beginning of one only; vLLM
writes dashes for underscores and takes what follows a dot for a key of the flag's JSON. Asked by
settings.py for the platform's words and by core/profile.py for the flags that engines are started
with. The table beside this file was read from the parsers of these versions, each as of its last
patch release (docs/develop/engine-versions.md).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["ENGINE_VERSION", "VERSION", "Flag", "Flags", "Row", "flags_for", "rows", "stand_in"]

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
_OLDEST: Final = (0, 11)


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its first name, what follows it, and the verdict."""

    name: str
    follows: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: a flag with all its names, and the minor versions that have it so.

    ``until`` is the last of them, None while the newest has it.
    """

    names: tuple[str, ...]
    follows: str
    verdict: str
    since: int
    until: int | None

    def has(self, minor: int) -> bool:
        """Whether 0.``minor`` has it."""
        return self.since <= minor and (self.until is None or minor <= self.until)


@dataclass(frozen=True, slots=True)
class Flags:
    """The flags of one version, each under every long name; two of one version are equal."""

    version: str
    named: Mapping[str, Flag] = field(compare=False, repr=False)

    @property
    def allowed(self) -> frozenset[str]:
        """What engine.extraArgs may hold, each by its first name."""
        return frozenset(flag.name for flag in self.named.values() if flag.verdict == "allowed")

    def meanings(self, written: str) -> list[str]:
        """What the parser may take ``--flag`` or ``--flag.key`` for: one, or it refuses."""
        name = written.partition(".")[0].replace("_", "-")
        if name in self.named:
            return [name]
        return sorted(one for one in self.named if one.startswith(name))

    def refusal(self, word: str) -> str:
        """Why ``--flag`` or ``--flag=value`` may not be given, "" when it may."""
        written, equals, _ = word.partition("=")
        names = self.meanings(written)
        if not names:
            return f"{written}: vLLM {self.version} has no such flag{_elsewhere(written)}"
        if len(names) > 1:
            return (
                f"{written}: vLLM {self.version} takes it for one of {', '.join(names)} and "
                "refuses it"
            )
        flag = self.named[names[0]]
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

    def clashes(self, words: Sequence[str]) -> list[str]:
        """What is wrong with words that may be given one by one, a sentence each.

        From --flag.key=value the parser makes an object of its own, and drops the one of --flag.
        """
        whole: set[str] = set()
        keyed: set[str] = set()
        for word in words:
            written = word.partition("=")[0]
            (keyed if "." in written else whole).update(self.meanings(written))
        return [
            f"{name} is given as an object and by a key: vLLM {self.version} drops the object, "
            "so write the key into it"
            for name in sorted(whole & keyed)
        ]


def flags_for(version: str | None) -> Flags:
    """The flags of ``0.32``, ``0.32.1`` or ``v0.32.0``, or of the nearest version that is known.

    None is the version that this operator was made for, and so is what is no version.
    """
    return _of(min(max(_asked(version), _OLDEST), _newest())[1])


def stand_in(version: str | None) -> str:
    """What there is to say where the flags of another version count, "" where they are its own."""
    if _OLDEST <= _asked(version) <= _newest():
        return ""
    return f"vLLM {version} is not known here, and the flags of {flags_for(version).version} count"


def _asked(version: str | None) -> tuple[int, int]:
    match = re.fullmatch(VERSION, (version or ENGINE_VERSION).strip())
    return (int(match[1]), int(match[2])) if match else _newest()


def _newest() -> tuple[int, int]:
    major, minor = ENGINE_VERSION.split(".")
    return int(major), int(minor)


@cache
def _of(minor: int) -> Flags:
    found: dict[str, Flag] = {}
    for row in rows():
        if row.has(minor):
            flag = Flag(row.names[0], row.follows, row.verdict)
            found |= {name: flag for name in row.names if name.startswith("--")}
    return Flags(f"0.{minor}", found)


@cache
def rows() -> tuple[Row, ...]:
    """The whole table."""
    text = files("escadre").joinpath("vllm-flags.txt").read_text(encoding="utf-8")
    return tuple(_row(line) for line in text.splitlines() if not line.startswith("#"))


def _row(line: str) -> Row:
    names, follows, verdict, versions = line.split(" ")
    since, _, until = versions.partition("-")
    last = int(until.removeprefix("0.")) if until else None
    return Row(tuple(names.split(",")), follows, verdict, int(since.removeprefix("0.")), last)


def _elsewhere(written: str) -> str:
    """Which other versions have a flag of exactly this name, "" when none is known to."""
    name = written.partition(".")[0].replace("_", "-")
    having = [minor for minor in range(_OLDEST[1], _newest()[1] + 1) if name in _of(minor).named]
    if not having:
        return ""
    if having[-1] == _newest()[1]:
        return f"; it came with 0.{having[0]}"
    return f"; 0.{having[-1]} was the last with it"
