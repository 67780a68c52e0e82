"""The best single-node layout that holds a wish, and why smaller ones do not.

core/fleet/plan.py calls it for each deployment, the command line for a dry run. It knows products,
not nodes: which node a replica goes to is the fleet's decision. Pure and deterministic, whole
numbers; what fits a GPU is core/engines/gpu_memory.py's answer, what is legal that of
core/engines/legality.py and stages.py, what is tried in which order core/layouts/shapes.py's, and
what is best core/layouts/ranks.py's.

A layout fits when its cache holds one request of contextLength and ``concurrency`` requests of
typicalTokens, counted in blocks. Without a wished concurrency it is as many typical requests as
fit, 256 at most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.api.deployment import Layout, RejectedLayout
from escadre.core.engines.legality import (
    LayoutRefusal,
    check_dtype,
    check_method,
)
from escadre.core.engines.shape import Shape
from escadre.core.facts.model import Wish
from escadre.core.layouts.alternatives import NO_LAYOUTS, Alternatives
from escadre.core.layouts.candidate import (
    Candidate,
    GPUProduct,
)
from escadre.core.layouts.nofit import closeness, explain
from escadre.core.layouts.ranks import ranked
from escadre.core.layouts.shapes import (
    beyond,
    inside_links,
    is_parted,
    most_on_a_node,
    within,
)
from escadre.core.layouts.told import bounded, explain_override, layout_of, rejected
from escadre.core.layouts.trial import Trial
from escadre.core.listing import listed
from escadre.core.profile import DEFAULT_PROFILE, EngineProfile
from escadre.reasons import Reason

__all__ = ["GPUProduct", "LayoutDecision", "every_refusal", "plan_layout"]

_PRODUCTS: Final = 8


@dataclass(frozen=True, slots=True)
class LayoutDecision:
    """The layouts that hold the wish, ranked, or why there is none.

    ``without_override`` says what would be planned without spec.layout, "" where there is none.
    """

    alternatives: Alternatives
    reason: Reason
    message: str
    rejected: tuple[RejectedLayout, ...] = ()
    without_override: str = ""

    @property
    def layout(self) -> Layout | None:
        """The best of all, None when there is none."""
        return self.alternatives[0] if self.alternatives else None


class _Search(NamedTuple):
    """What came out of one product: what fits, or the best that does not."""

    fitting: tuple[Candidate, ...]
    closest: Candidate | None
    rejected: tuple[RejectedLayout, ...]


@lru_cache(maxsize=4096)
def plan_layout(
    architecture: Architecture,
    wish: Wish,
    products: tuple[GPUProduct, ...],
    utilization_percent: int,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> LayoutDecision:
    """Decides the layout of one replica; pure, so its answers are kept for the next pass."""
    decision = _decide(Trial.of(architecture, wish, utilization_percent, profile), products)
    if wish.unbound is wish:
        return decision
    free = plan_layout(architecture, wish.unbound, products, utilization_percent, profile)
    instead = free.layout.summary if free.layout else "none"
    if not decision.alternatives and free.layout:
        message = f"{decision.message}; without spec.layout it would be {instead}"
        decision = replace(decision, message=message)
    return replace(decision, without_override=instead)


def _decide(trial: Trial, products: Sequence[GPUProduct]) -> LayoutDecision:
    wish = trial.wish
    refusal = _refuse_wish(trial, products)
    if refusal is not None:
        return LayoutDecision(NO_LAYOUTS, refusal.reason, refusal.message)
    searches = _searches(trial, products)
    found = ranked(trial, (one for search in searches for one in search.fitting))
    if not found:
        refused = bounded([search.rejected for search in searches])
        if wish.unbound is not wish:
            message = explain_override(wish, refused)
            return LayoutDecision(NO_LAYOUTS, reasons.LAYOUT_OVERRIDE_REFUSED, message, refused)
        close = [one for search in searches if (one := search.closest) is not None]
        message = explain(trial, close, refused)
        return LayoutDecision(NO_LAYOUTS, reasons.NO_LAYOUT_FITS, message, refused)
    best = [one.product.name for one in found]
    searches.sort(key=lambda search: _place_of(search, best))
    refused = bounded([search.rejected for search in searches])
    sizes = [(one.product.name, one.shape.gpus) for one in found]
    layouts = Alternatives(sizes, lambda index: layout_of(trial, found[index]))
    return LayoutDecision(layouts, reasons.PLANNED, layouts[0].summary, refused)


def every_refusal(
    architecture: Architecture,
    wish: Wish,
    products: Sequence[GPUProduct],
    utilization_percent: int,
    profile: EngineProfile = DEFAULT_PROFILE,
) -> tuple[RejectedLayout, ...]:
    """Every layout that was tried and refused, also those that a status has no room for."""
    trial = Trial.of(architecture, wish, utilization_percent, profile)
    if _refuse_wish(trial, products) is not None:
        return ()
    return tuple(refused for search in _searches(trial, products) for refused in search.rejected)


def _searches(trial: Trial, products: Sequence[GPUProduct]) -> list[_Search]:
    ordered = sorted(products, key=lambda product: product.name)
    return [
        _search(trial, product) for product in ordered if trial.wish.product in {None, product.name}
    ]


def _place_of(search: _Search, best: Sequence[str]) -> int:
    """Products in the order of their best layouts, those without one last."""
    return best.index(search.fitting[0].product.name) if search.fitting else len(best)


def _refuse_wish(trial: Trial, products: Sequence[GPUProduct]) -> LayoutRefusal | None:
    need, most = trial.need, trial.architecture.max_context_length
    if need.context > most:
        return LayoutRefusal(
            reasons.CONTEXT_TOO_LONG,
            f"contextLength {need.context:,} is more than the {most:,} tokens the model allows",
        )
    unserved = check_method(trial.architecture, trial.profile)
    if unserved is not None:
        return unserved
    if need.typical > need.context:
        return LayoutRefusal(
            reasons.TYPICAL_TOKENS_TOO_LONG,
            f"typicalTokens {need.typical:,} is more than contextLength {need.context:,}",
        )
    names = sorted(product.name for product in products if product.node_gpus > 0)
    if not names:
        return LayoutRefusal(
            reasons.NO_GPU_NODES, "no node offers GPUs with product, memory and compute capability"
        )
    if trial.wish.product is not None and trial.wish.product not in names:
        return LayoutRefusal(
            reasons.LAYOUT_OVERRIDE_REFUSED,
            f"spec.layout asks for {trial.wish.product}, and no node that can serve has that "
            f"product; there are {listed(names, _PRODUCTS)}",
        )
    return None


def _search(trial: Trial, product: GPUProduct) -> _Search:
    """What fits one node, else what is next to it, and what a larger node would hold."""
    refusal = check_dtype(trial.architecture, product.compute_capability, trial.profile)
    if refusal is not None:
        return _Search((), None, (rejected(product, Shape(), refusal),))
    fitting: list[Candidate] = []
    refused: list[RejectedLayout] = []
    close: list[Candidate] = []
    for shape in within(trial.sizes, product, trial.wish):
        if fitting and not _compared(trial, shape, product):
            break
        if any(one.shape.gpus == shape.gpus and _is_hopeless(trial, one) for one in close):
            continue
        one, refusal = trial.judge(product, shape)
        if refusal is not None:
            refused.append(rejected(product, shape, refusal))
            close.extend([one] if one else [])
        elif one is not None:
            fitting.append(one)
    if not fitting:
        refused.extend(_larger(trial, product, others=bool(refused)))
    closest = max(close, key=closeness, default=None)
    return _Search(tuple(fitting), closest, tuple(refused))


def _is_hopeless(trial: Trial, one: Candidate) -> bool:
    """Whether the weights are more than so many GPUs have together, in whatever shape."""
    return trial.served.weight_bytes > one.shape.gpus * one.fill.usable_bytes


def _compared(trial: Trial, shape: Shape, product: GPUProduct) -> bool:
    """Whether a shape after one that fits may still be better than it."""
    return trial.wish.objective == "Latency" and inside_links(shape, product)


def _larger(trial: Trial, product: GPUProduct, *, others: bool) -> Iterator[RejectedLayout]:
    """The smallest shape that would hold the wish on a node with more GPUs.

    Of a shape that spec.layout asks for also what else stands against it, if no others were tried.
    """
    bound = trial.wish.unbound is not trial.wish
    if is_parted(product) and not bound:
        return
    judged: set[int] = set()  # one legal shape speaks for all with the same number of GPUs
    for shape in beyond(trial.sizes, product, trial.wish):
        if shape.gpus in judged:
            continue
        one, refusal = trial.judge(product, shape)
        if one is not None:
            judged.add(shape.gpus)
        if refusal is None:
            yield rejected(product, shape, _too_small(product, shape))
            return
        if bound and not others:
            yield rejected(product, shape, refusal)


def _too_small(product: GPUProduct, shape: Shape) -> LayoutRefusal:
    if is_parted(product):
        return LayoutRefusal(
            reasons.NODE_TOO_SMALL, "parts of a GPU do not work together; they have no links"
        )
    return LayoutRefusal(
        reasons.NODE_TOO_SMALL,
        f"{shape.gpus} GPUs on one node would hold it; the largest node with {product.name} has "
        f"{most_on_a_node(product)}",
    )
