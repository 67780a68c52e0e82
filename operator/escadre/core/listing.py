"""Names in a sentence: the first few, and how many more; a part never reads as the whole."""

from collections.abc import Sequence

__all__ = ["listed"]


def listed(words: Sequence[str], most: int, between: str = ", ") -> str:
    """``a, b and 3 more``."""
    named = between.join(words[:most])
    return f"{named} and {len(words) - most} more" if len(words) > most else named
