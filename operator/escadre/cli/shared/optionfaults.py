"""What is wrong with the value of an option, in the words in which fields of files are judged.

typer asks pydantic, whose messages speak to programmers. The program's root has them reworded.
"""

import typer
from pydantic import ValidationError

from escadre.core.weights.findings import printable_name
from escadre.fieldfaults import shown, words_of

__all__ = ["reworded"]


def reworded(error: typer.BadParameter) -> typer.BadParameter:
    """The same error; of a value that pydantic refused with the value as it was typed."""
    if isinstance(error.__cause__, ValidationError):
        first = error.__cause__.errors()[0]
        typed = first["input"]
        words = words_of(first).replace(shown(typed), str(typed), 1)
        error.message = printable_name(words)
    return error
