"""How an approval is called without a name of its own: after its model. Pure."""

import re

__all__ = ["approval_name"]


def approval_name(repository: str) -> str:
    """A legal name made from the model's."""
    words = re.sub(r"[^a-z0-9]+", "-", repository.rpartition("/")[2].lower())
    return words.strip("-")[:63].strip("-") or "model"
