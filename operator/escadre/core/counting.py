"""Counts in a sentence: number and noun agree, and one count reads alike everywhere. Pure."""

__all__ = ["count", "share"]


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``; ``many`` when the plural is not the singular with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def share(number: int, whole: int, one: str) -> str:
    """``0 of 1 replicas``: of so many, in the plural, and so is the verb, as kubectl has it."""
    return f"{number:,} of {whole:,} {one}s"
