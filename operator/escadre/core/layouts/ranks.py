"""Which of several layouts that hold a wish is the best one; core/layouts/search.py asks. Pure.

Throughput: the fewest GPUs a replica, for then the same GPUs hold most replicas; native arithmetic
for the weights' type before emulation; the least cache left over, so that large cards stay for
large models.

Latency: inside one NVLink domain before across PCIe; native arithmetic; then the most GPUs that
share each layer, for a step of decoding reads every weight once and each GPU reads its part
(a published sweep of one dense FP8 model on one, two, four and eight GPUs: 55, 45, 33 and 26 ms a
token, vllm-project/recipes); then the newer cards.
"""

from collections.abc import Callable

from escadre.api.approval import Architecture
from escadre.core.engines.gpu_memory import BLOCK_TOKENS
from escadre.core.engines.legality import is_native
from escadre.core.facts.model import Wish
from escadre.core.layouts.candidate import Candidate, Need
from escadre.core.layouts.shapes import inside_links

__all__ = ["Ranking", "ranking"]

Ranking = Callable[[Candidate], tuple[int, ...]]


def ranking(architecture: Architecture, wish: Wish, need: Need) -> Ranking:
    """The order of candidates under the wish's objective, best first; ties stay as they came."""

    def native(one: Candidate) -> bool:
        return is_native(architecture, one.product.compute_capability)

    def left(one: Candidate) -> int:
        blocks = one.fill.blocks - need.blocks(need.concurrency or 1)
        return blocks * BLOCK_TOKENS * one.fill.bytes_per_token * one.shape.gpus

    def throughput(one: Candidate) -> tuple[int, ...]:
        return (one.shape.gpus, not native(one), left(one))

    def latency(one: Candidate) -> tuple[int, ...]:
        major, minor = one.product.compute_capability
        linked = inside_links(one.shape, one.product)
        return (not linked, not native(one), -one.shape.tensor, -major, -minor, left(one))

    return latency if wish.objective == "Latency" else throughput
