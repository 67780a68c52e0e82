"""What is said to people: a template and its values, put together only where it leaves the program.

Two sayings with one essence say the same with other numbers, so a status may wait before it repeats
them. Text is a name, and another name is another saying; a number comes and goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Union

from typing_extensions import override

__all__ = ["NOTHING", "Amount", "Said", "Value", "joined", "plain", "say"]


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that is worded already, with its unit or its plural."""

    words: str

    @override
    def __str__(self) -> str:
        return self.words


Value = Union[str, int, float, Amount, "Said"]


@dataclass(frozen=True, slots=True)
class Said:
    """Something said: ``str()`` of it is the text. Made by `say`."""

    template: str
    values: tuple[tuple[str, Value], ...] = ()

    @override
    def __str__(self) -> str:
        return self.template.format_map(dict(self.values))

    def __bool__(self) -> bool:
        return bool(str(self))

    @property
    def essence(self) -> tuple[object, ...]:
        """All of it but the numbers, as JSON can have it."""
        return (self.template, *[_essence(value) for _, value in self.values])

    def alike(self, other: "Said") -> bool:
        """Whether both have one essence; without making it, for whoever asks often."""
        if self.template != other.template or len(self.values) != len(other.values):
            return False
        for (_, mine), (_, its) in zip(self.values, other.values, strict=True):
            if not _alike(mine, its):
                return False
        return True


def say(template: str, /, **values: Value) -> Said:
    """``say("node {node} pulled {done} bytes", node="gpu-0", done=5)``; formats as in f-strings."""
    return Said(template, tuple(values.items()))


def plain(text: str) -> Said:
    """A text from elsewhere, of which nothing is known: another text says something else."""
    return say("{text}", text=text)


def joined(separator: str, parts: Sequence[Said]) -> Said:
    """Several sayings one after the other."""
    names, template = _places(separator, len(parts))
    return Said(template, tuple(zip(names, parts, strict=True)))


@lru_cache(maxsize=64)
def _places(separator: str, number: int) -> tuple[list[str], str]:
    """Names for so many parts, and the template with them."""
    names = [f"part{place}" for place in range(number)]
    return names, separator.join(f"{{{name}}}" for name in names)


NOTHING: Final = say("")


def _essence(value: Value) -> object:
    if isinstance(value, Said):
        return value.essence
    return value if isinstance(value, str) else None


def _alike(mine: Value, its: Value) -> bool:
    if isinstance(mine, Said):
        return isinstance(its, Said) and mine.alike(its)
    if isinstance(mine, str):
        return mine == its
    return not isinstance(its, str | Said)
