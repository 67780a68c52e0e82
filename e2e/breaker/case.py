"""One case of the breaker's hour: what is broken, who must name it, and how it heals.

Pure records. The groups (``engines.py`` and the like) make them, ``judge.py`` runs them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from e2e.stage.stage import TEAM, Stage
from escadre.reasons import Reason

__all__ = ["NAMED_WITHIN", "SERVED", "Case", "Deed", "Result"]

NAMED_WITHIN: Final = 15.0
SERVED: Final = "served"  # two replicas that answer the load for the whole hour

Deed = Callable[[Stage], None]


@dataclass(frozen=True, slots=True)
class Case:
    """See the module.

    Attributes:
        name: what CASES= and the page call it.
        broken: what is done, for the page's reader.
        reasons: one of them must stand in the column REASON and in ``escadre why``; none where
            nothing that serves is blocked.
        heals: "by itself", or the step that is taken.
        within: seconds that healing may take on a quiet machine.
        may_lose: requests of the load that may be lost from the first blow to the end.
        words: what ``escadre why`` must say besides.
        column: whether the column can name it; nobody writes it where no operator runs.
    """

    name: str
    broken: str
    reasons: tuple[Reason, ...]
    heals: str
    deed: Deed
    within: float
    may_lose: int = 0
    mend: Deed | None = None
    after: Deed | None = None
    words: str = ""
    column: bool = True
    deployment: str = SERVED
    namespace: str = TEAM


@dataclass(frozen=True, slots=True)
class Result:
    """How a case went; seconds are None for what was not seen, ``lost`` where no load ran."""

    name: str
    named: float | None = None
    reason: str = ""
    healed: float | None = None
    lost: int | None = None
    failure: str = ""

    @property
    def held(self) -> bool:
        """Whether all was as the case says."""
        return not self.failure
