"""Why a layout is not possible, as the rules of core/engines and core/layouts say it. Pure data."""

from dataclasses import dataclass

from escadre.reasons import Reason

__all__ = ["LayoutRefusal"]


@dataclass(frozen=True, slots=True)
class LayoutRefusal:
    """Why a layout is not possible: a reason and a message with numbers.

    ``engine`` is what vLLM prints of it, word for word; "" where that is not known.
    """

    reason: Reason
    message: str
    engine: str = ""
