"""A model of the catalog as people name it. Pure; raises BadInput that helps on."""

from escadre.api.approval import Architecture
from escadre.cli.shared.failures import BadInput
from escadre.core.catalog.entry import Entry
from escadre.core.catalog.shelf import find, like, name_of, spelled_like
from escadre.core.listing import listed
from escadre.core.profile import EngineProfile

__all__ = ["doubts", "entry_named", "planned_entry"]

_NAMED = 4


def entry_named(name: str, option: str) -> Entry:
    """The model of that repository or name; words that only one model has will do.

    Where several have them, those count with which can be planned.

    Raises:
        BadInput: none or several, naming those that come near.
    """
    exact = find(name)
    if exact is not None:
        return exact
    every = like(name)
    found = tuple(entry for entry in every if not entry.unserved) or every
    if len(found) == 1:
        return found[0]
    if found:
        names = listed([name_of(entry) for entry in found], _NAMED)
        raise BadInput(f"{option} {name} means {len(found)} models: {names}; name one of them")
    near = spelled_like(name)
    told = f"near it: {', '.join(near)}" if near else "escadre catalog list has all"
    raise BadInput(f"{option} {name}: no model of the catalog is called so; {told}")


def planned_entry(name: str, option: str, profile: EngineProfile) -> tuple[Entry, Architecture]:
    """As `entry_named`, of a model for which layouts are planned; raises BadInput why not."""
    entry = entry_named(name, option)
    told, unserved = entry.architecture, entry.unserved_by(profile)
    if told is None or unserved:
        raise BadInput(f"{option} {name}: no layout is planned for {entry.family}: {unserved}")
    return entry, told


def doubts(entry: Entry) -> tuple[str, ...]:
    """What to know of facts that are taken from the catalog."""
    if entry.weights is None or entry.weights.stated:
        return entry.notes
    return ("bytes of its weights are computed, no source states them", *entry.notes)
