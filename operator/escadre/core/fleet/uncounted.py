"""Nodes with GPUs that cannot be planned with, for the message of a refusal. Pure.

Whoever looks for GPUs believes that they are there; called by core/fleet/plan.py.
"""

from collections.abc import Sequence
from typing import Final

from escadre.core.facts.node import Unused
from escadre.core.listing import listed
from escadre.reasons.said import Said, say

__all__ = ["uncounted"]

_NODES: Final = 4  # a message is read on a terminal; `escadre nodes` has all of them
_CAUSES: Final = 3


def uncounted(unused: Sequence[Unused], product: str = "") -> Said | None:
    """Them by cause, those that may have the product ("" for any); None without one."""
    causes: dict[str, list[str]] = {}
    for one in sorted(unused, key=lambda one: one.name):
        if product in {"", one.product} or not one.product:
            causes.setdefault(one.why, []).append(one.name)
    if not causes:
        return None
    parts = [f"{listed(names, _NODES)} ({why})" for why, names in causes.items()]
    return say("not counted: {nodes}", nodes=listed(parts, _CAUSES, "; "))
