"""Whether the licence that people name is the one that the model's own card names. Pure."""

__all__ = ["LOOK", "contradiction"]

LOOK = "have whoever accepted the licence look before anybody signs"
_OTHER = "other"


def contradiction(spdx: str, card: str, name: str) -> str:
    """What to say when the two differ, "" when they do not.

    Args:
        spdx: as the approval has it: an SPDX identifier, or LicenseRef-NAME.
        card: as the card has it; the hub writes SPDX identifiers in lower case, and "other".
        name: of a licence that is "other", "" when the card names none.
    """
    own = spdx.startswith("LicenseRef-")
    if card.casefold() == _OTHER and own:
        return ""  # what they call it is theirs
    if card.casefold() == spdx.casefold():
        return ""
    called = f"{card} ({name})" if name else card
    return f"the model's card says licence {called}, and --licence {spdx}: {LOOK}"
