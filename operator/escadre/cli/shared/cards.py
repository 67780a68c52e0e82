"""A GPU product as people write it: one card, and a note where the name means several. Pure."""

from dataclasses import dataclass

from escadre.cli.shared.failures import BadInput
from escadre.core.engines.cards import CARDS, Card, cards_named

__all__ = ["Named", "card_named"]


@dataclass(frozen=True, slots=True)
class Named:
    """The card that was taken, and what there is to say of it, "" mostly."""

    card: Card
    note: str


def card_named(name: str, option: str, instead: str = "") -> Named:
    """The first card of that name; raises BadInput with all that are known, and what to do."""
    found = cards_named(name)
    if not found:
        known = ", ".join(card.product for card in CARDS)
        raise BadInput(f"{option} {name}: no such product is known here, only {known}{instead}")
    taken, *others = found
    also = " and ".join(card.product for card in others)
    note = f"{option} {name} was taken for {taken.product}; {also} would be called so too"
    return Named(taken, note if others else "")
