"""--tensor-parallel as people write it: one size, several, or a range. Pure."""

import re
from typing import Final

from escadre.cli.shared.failures import BadInput

__all__ = ["read_sizes"]

_MOST: Final = 1024
_PART: Final = re.compile(r"([0-9]{1,4})(?:\.\.([0-9]{1,4}))?")


def read_sizes(text: str) -> tuple[int, ...]:
    """``8``, ``1..96`` or ``1,2,4..8``, in ascending order, each once; raises BadInput."""
    sizes: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= _MOST:
            raise BadInput(
                f"--tensor-parallel {text}: {part.strip()!r} is no size from 1 to {_MOST}, and no "
                "range of them like 1..96"
            )
        sizes.update(range(first, last + 1))
    return tuple(sorted(sizes))
