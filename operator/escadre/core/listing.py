"""Names in a sentence: the first few, and how many more; a part never reads as the whole."""

from collections.abc import Sequence

__all__ = ["listed"]


def listed(words: Sequence[str], most: int, between: str = ", ", *, whole: int = 0) -> str:
    """``a, b and 3 more``; ``whole``: how many there are, where ``words`` are but the first."""
    named, left = between.join(words[:most]), max(whole, len(words)) - most
    return f"{named} and {left} more" if left > 0 else named
