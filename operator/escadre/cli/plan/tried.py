"""`escadre plan -v`: every layout that was tried for a wish, also those a status has no room for.

The same search as the plan's (core/layouts/search.py), asked for all that it refused. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from escadre.api.deployment import Layout, RejectedLayout
from escadre.cli.plan.prospect import Fleet, Prospect
from escadre.cli.plan.speeds import Paced, paced
from escadre.core.facts.model import Wish
from escadre.core.layouts.decisions import products_of
from escadre.core.layouts.search import every_refusal, plan_layout

__all__ = ["Tried", "tried_for"]


@dataclass(frozen=True, slots=True)
class Tried:
    """Layouts that would do and come after the one that is planned, and those that would not do."""

    others: tuple[Layout, ...]
    rejected: tuple[RejectedLayout, ...]
    speeds: tuple[Paced, ...] = ()  # of the layout that is planned, then of the others


def tried_for(prospects: Sequence[Prospect], fleet: Fleet) -> list[Tried]:
    """What was tried for each of them."""
    products = products_of(fleet.usable)
    found = []
    for one in prospects:
        model = one.plan.facts.model if one.plan else None
        if model is None:
            found.append(Tried((), ()))
            continue
        wish, percent = Wish.of(one.wish.spec), fleet.gpu_memory_utilization_percent
        decision = plan_layout(model.architecture, wish, products, percent, fleet.profile)
        refused = every_refusal(model.architecture, wish, products, percent, fleet.profile)
        layouts = tuple(decision.alternatives)
        found.append(Tried(layouts[1:], refused, paced(model.architecture, layouts, products)))
    return found
