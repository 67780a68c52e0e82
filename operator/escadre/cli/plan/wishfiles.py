"""The files of `escadre plan -f` and `simulate --deployment`: their text, the documents in it.

What cannot be read is said in one line that fits the case; what a document holds is judged by
wishes.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from escadre.cli.plan.fields import unknown
from escadre.cli.shared.encoding import undecoded
from escadre.errors import EscadreError
from escadre.fieldfaults import shown
from escadre.strictyaml import KeyTwice, load_all

__all__ = ["WishText", "documents", "read_texts"]

_LIST_FIELDS: Final = ("apiVersion", "kind", "metadata", "items")


@dataclass(frozen=True, slots=True)
class WishText:
    """The text of one file; ``source`` is how messages call it."""

    source: str
    text: str


def read_texts(
    files: Sequence[str], read: Callable[[str], str], option: str = "-f"
) -> list[WishText]:
    """Reads every file, each once; ``option`` is the one that names them.

    Raises EscadreError for the first that cannot be read.
    """
    return [_read(file, read, option) for file in dict.fromkeys(files)]


def _read(file: str, read: Callable[[str], str], option: str) -> WishText:
    source = "standard input" if file == "-" else file
    try:
        text = read(file)
    except FileNotFoundError:
        raise EscadreError(
            f"{source} does not exist; name a file with {option}, or - for stdin"
        ) from None
    except IsADirectoryError:
        raise EscadreError(
            f"{source} is a folder; name the files in it, each with {option}"
        ) from None
    except OSError as error:
        raise EscadreError(f"{source} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise EscadreError(f"{source} {undecoded(error)}") from error
    if not text.strip():
        raise EscadreError(f"{source} is empty; it should hold a ModelDeployment")
    return WishText(source, text)


def documents(texts: Sequence[WishText]) -> Iterator[tuple[str, int, Any]]:
    """Source, number and content of every document that is not empty; a list's items alone."""
    for each in texts:
        for number, body in enumerate(_parse(each), start=1):
            objects = _objects(body, f"{each.source}, document {number}")
            yield from ((each.source, number, one) for one in objects)


def _objects(body: Any, where: str) -> list[Any]:
    """The object, or those of a list: kubectl's List, or a NodeList, whose items name no kind."""
    if body is None:
        return []
    if not isinstance(body, dict):
        return [body]
    kind = str(body.get("kind"))
    if not kind.endswith("List") or "spec" in body:  # a kind of somebody's may be called so
        return [body]
    for field in body:
        if field not in _LIST_FIELDS:
            raise EscadreError(f"{where}, {kind}: {field}: {unknown(field, _LIST_FIELDS)}")
    items = body.get("items") or []
    if not isinstance(items, list):
        raise EscadreError(f"{where}: items of a {kind}: {shown(items)} is given; a list is meant")
    named = {"apiVersion": body.get("apiVersion"), "kind": kind.removesuffix("List")}
    given = named if named["kind"] else {}
    return [{**given, **item} if isinstance(item, dict) else item for item in items]


def _parse(each: WishText) -> list[Any]:
    try:
        return load_all(each.text)
    except KeyTwice as error:
        raise EscadreError(f"{each.source}, {error}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise EscadreError(f"{each.source}{at}: not YAML: {error.problem}") from error
    except RecursionError as error:
        raise EscadreError(f"{each.source}: nested too deeply to be read") from error
    except (yaml.YAMLError, ValueError) as error:  # a character or a date that YAML does not know
        first = str(error).partition("\n")[0]
        raise EscadreError(f"{each.source}: not YAML: {first}") from error
