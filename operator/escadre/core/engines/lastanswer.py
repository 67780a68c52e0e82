"""How long a replica that leaves may finish what it has: as long as its longest answer takes. Pure.

From the estimate of its speed and from nothing that is measured: it stands in the pod's template,
and no measurement may ask for another pod. The operator waits as long (state/children.py).
"""

import math
from typing import Final

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout
from escadre.core.engines.cards import card_of
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.speed import Speed, speed_of

__all__ = ["LEAST_SECONDS", "MOST_SECONDS", "drain_seconds", "speed_in"]

LEAST_SECONDS: Final = 300
MOST_SECONDS: Final = 1800


def speed_in(layout: Layout, architecture: Architecture) -> Speed:
    """The estimate for a replica in this layout."""
    limits = EngineLimits(
        layout.tensor_parallel_size,
        layout.max_num_seqs,
        layout.max_num_batched_tokens,
        layout.pipeline_parallel_size,
    )
    card = card_of(layout.product, layout.memory.visible_bytes >> 20, (0, 0))
    return speed_of(architecture, limits, card.rates)


def drain_seconds(
    chosen: int | None, layout: Layout | None, architecture: Architecture | None
) -> int:
    """What the platform chose for all, else what an answer of the whole context takes.

    In a full batch with a full cache; from 5 to 30 minutes, and 5 where nothing is known.
    """
    if chosen is not None:
        return chosen
    if layout is None or architecture is None:
        return LEAST_SECONDS
    step = speed_in(layout, architecture).decode
    token = step.seconds(layout.max_num_seqs, layout.capacity.key_value_tokens)
    return max(LEAST_SECONDS, min(math.ceil(layout.max_model_len * token), MOST_SECONDS))
