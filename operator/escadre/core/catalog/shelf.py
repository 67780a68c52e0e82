"""Finds a model in the catalog: by repository, by the name of its approval, or by a part of a name.

`escadre catalog`, `escadre plan --nodes` and `escadre layout --model` ask it. Files win over what
stands here: the operator plans with what an approval says and never looks at the catalog. Pure.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from escadre.core.approvals.naming import approval_name
from escadre.core.catalog.before2025 import BEFORE_2025
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.experts import EXPERTS
from escadre.core.catalog.others import CLOSED, DRAFTING, OTHERS
from escadre.core.catalog.since2025 import SINCE_2025

__all__ = ["CATALOG", "find", "like", "name_of", "spelled_like"]

_NEAR: Final = 3
CATALOG: Final[tuple[Entry, ...]] = (
    *BEFORE_2025,
    *SINCE_2025,
    *EXPERTS,
    *OTHERS,
    *DRAFTING,
    *CLOSED,
)


def name_of(entry: Entry) -> str:
    """Its name here: that of an approval as `escadre approve draft` would call it."""
    return approval_name(entry.repository)


def find(name: str) -> Entry | None:
    """The model of exactly that repository, or that name, in any case."""
    wanted = approval_name(name)
    return next((entry for entry in CATALOG if name_of(entry) == wanted), None)


def like(name: str) -> tuple[Entry, ...]:
    """The models whose name has all the words of ``name``, newest first."""
    words = set(approval_name(name).split("-"))
    found = [entry for entry in CATALOG if words <= set(_words(entry))]
    return tuple(sorted(found, key=lambda entry: entry.released, reverse=True))


def spelled_like(name: str, among: Iterable[Entry] = CATALOG) -> list[str]:
    """The names of three models at most that ``name`` may have been meant for.

    Those that have all its words once each is spelled as the nearest word there is; else those
    whose whole name is near.
    """
    names = {name_of(entry): _words(entry) for entry in among}
    known = sorted({word for words in names.values() for word in words})
    meant = {_nearest(word, known) for word in approval_name(name).split("-")}
    found = [each for each, words in names.items() if meant <= set(words)]
    return found[:_NEAR] or difflib.get_close_matches(approval_name(name), names, n=_NEAR)


def _nearest(word: str, known: Sequence[str]) -> str:
    return next(iter(difflib.get_close_matches(word, known, n=1)), word)


def _words(entry: Entry) -> list[str]:
    return f"{name_of(entry)}-{approval_name(entry.family)}".split("-")
