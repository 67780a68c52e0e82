"""Which of several layouts that hold a wish is the best one; core/layouts/search.py asks. Pure.

Throughput: the fewest GPUs a replica, for then the same GPUs hold most replicas; native arithmetic
for the weights' type before emulation; the least cache left over, so that large cards stay for
large models.

Latency: inside one NVLink domain before across PCIe; native arithmetic; then the shortest step of
decoding by core/engines/speed.py, with the wished requests of typicalTokens, or one. Steps that
differ by less than a tenth count as equal, for the estimate is not better than that: of these the
fewest GPUs.
"""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from escadre.core.engines.legality import is_native
from escadre.core.engines.speed import speed_of
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.layouts.candidate import Candidate
from escadre.core.layouts.shapes import card_for, inside_links
from escadre.core.layouts.trial import Trial

__all__ = ["ranked"]

_ALIKE: Final = 1.1


class _Timed(NamedTuple):
    seconds: float
    one: Candidate


def ranked(trial: Trial, found: Iterable[Candidate]) -> list[Candidate]:
    """Best first under the wish's objective; of equal ones the first stays the first."""
    if trial.wish.objective == "Throughput":
        return sorted(
            found, key=lambda one: (one.shape.gpus, not _is_native(trial, one), _left(trial, one))
        )
    timed = [_Timed(_step_seconds(trial, one), one) for one in found]
    fastest = min((each.seconds for each in timed), default=0.0)

    def order(each: _Timed) -> tuple[bool, bool, int, int, float]:
        slower = int(math.log(each.seconds / fastest, _ALIKE))
        linked = inside_links(each.one.shape, each.one.product)
        native = _is_native(trial, each.one)
        return (not linked, not native, slower, each.one.shape.gpus, each.seconds)

    return [each.one for each in sorted(timed, key=order)]


def _is_native(trial: Trial, one: Candidate) -> bool:
    return is_native(trial.architecture, one.product.compute_capability)


def _left(trial: Trial, one: Candidate) -> int:
    """Bytes of cache that the wish does not need, over all GPUs."""
    blocks = one.fill.blocks - trial.need.blocks(trial.need.concurrency or 1, one.fill.groups)
    return blocks * BLOCK_TOKENS * one.fill.bytes_per_token * one.shape.gpus


def _step_seconds(trial: Trial, one: Candidate) -> float:
    """What a sequence waits for its next token, while as many run as are wished."""
    speed = speed_of(trial.served, one.limits, card_for(one.product).rates)
    running = trial.need.concurrency or 1
    return speed.decode.seconds(running, running * trial.need.typical)
