"""--gpu of `escadre layout`: see shared/cards.py. Pure."""

from escadre.cli.shared import cards
from escadre.cli.shared.cards import Named

__all__ = ["card_named"]

_INSTEAD = "; for the memory of another GPU give --visible-memory to escadre layout estimate"


def card_named(name: str) -> Named:
    """The first card of that name; raises BadInput with all that are known."""
    return cards.card_named(name, "--gpu", _INSTEAD)
