"""What cannot be approved, all of it at once: who mends a folder wants a list, not its first line.

A check raises IntakeError for the file it looked at; who checks many files collects with Findings
and settles at the end. Called by core/weights and the drafting tool. Pure.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from escadre.errors import EscadreError

__all__ = ["Findings", "IntakeError", "printable", "printable_name"]

_MOST: Final = 50  # findings that are written out


class IntakeError(EscadreError):
    """What cannot be approved as it is.

    Args:
        message: file, place in it, and what is wrong there.
        step: what helps, where the message alone does not say it.
    """

    def __init__(self, message: str, step: str = "") -> None:
        self.message = printable(message)
        self.step = step
        super().__init__(f"{self.message}\nnext: {step}" if step else self.message)


class Findings:
    """Collects what cannot be approved; the same thing found twice counts once."""

    def __init__(self, found: Iterable[IntakeError] = ()) -> None:
        self._found: dict[str, IntakeError] = {}
        self.extend(found)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def __iter__(self) -> Iterator[IntakeError]:
        """In the order in which they were found."""
        return iter(self._found.values())

    def extend(self, found: Iterable[IntakeError]) -> None:
        """Add what was found."""
        for error in found:
            self._found.setdefault(str(error), error)

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """What the block raises as IntakeError is added, and the work goes on behind the block."""
        try:
            yield
        except IntakeError as error:
            self.extend([error])

    def settle(self) -> None:
        """Raises IntakeError with all that was found, if anything was."""
        found = list(self)
        if len(found) == 1:
            raise found[0]
        if found:
            raise IntakeError("\n".join(_lines(found)))


def printable(message: str) -> str:
    """Names out of files reach a terminal: control characters and lone surrogates are escaped."""
    return "".join(
        each if each.isprintable() or each == "\n" else ascii(each)[1:-1] for each in message
    )


def printable_name(name: str) -> str:
    """A name in one line: none that a stranger chose looks like a line of ours."""
    return printable(name).replace("\n", "\\n")


def _lines(found: list[IntakeError]) -> Iterator[str]:
    yield f"{len(found)} findings, each of which stops it:"
    following = [*(error.step for error in found[1:_MOST]), ""]
    for number, (error, then) in enumerate(zip(found, following, strict=False), start=1):
        yield f"{number}. {error.message}"
        if error.step and error.step != then:  # said once for those that stand together
            yield f"   next: {error.step}"
    if len(found) > _MOST:
        yield f"and {len(found) - _MOST} more"
