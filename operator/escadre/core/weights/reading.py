"""Whole numbers and parts out of a configuration file, with a message that says where one lacks.

core/weights reads every configuration with it. Raises IntakeError. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escadre.core.weights.findings import IntakeError
from escadre.fieldfaults import shown

__all__ = ["Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a configuration file, and where it stands, as messages name it."""

    where: str
    facts: Mapping[str, object]

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.facts)

    def part(self, name: str) -> "Part":
        """The object below ``name``, empty where there is none; anything else is refused."""
        found = self.facts.get(name)
        if found is not None and not isinstance(found, dict):
            raise IntakeError(f"{self.where}: {name} is no object: {shown(found)}")
        return Part(f"{self.where}: {name}", found or {})

    def filled(self, defaults: Mapping[str, object]) -> "Part":
        """The same, with ``defaults`` for what is not there at all."""
        return Part(self.where, {**defaults, **self.facts})

    def text(self, name: str) -> str:
        """The text that stands there, "" where there is none; refused where it is another thing."""
        value = self.facts.get(name)
        if value is not None and not isinstance(value, str):
            raise IntakeError(f"{self.where}: {name} is no text: {shown(value)}")
        return value or ""

    def number(self, *names: str, default: int | None = None) -> int:
        """The first of ``names`` that is there, a whole number; null counts as missing."""
        for name in names:
            value = self.facts.get(name)
            if type(value) is int:
                if value < 0:
                    raise IntakeError(f"{self.where}: {name} is {value}")
                return value
            if value is not None:
                raise IntakeError(f"{self.where}: {name} is not a whole number: {shown(value)}")
        if default is None:
            raise IntakeError(f"{self.where}: {' or '.join(names)} is missing")
        return default
