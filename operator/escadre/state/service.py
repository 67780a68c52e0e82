"""What scaling is told of a replica: its speed by its layout, its service level, its loads. No I/O.

The loads are those of the replicas that serve, from the node to Ready; before the first there is a
guess (core/scaling/service.py).
"""

from collections.abc import Sequence
from statistics import median
from typing import Final

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout, ModelDeploymentSpec
from escadre.core.engines.cards import card_of
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.speed import speed_of
from escadre.core.facts.model import ApprovedModel
from escadre.core.scaling.service import LoadTime, Prior, Service, ServiceLevel
from escadre.state.observe import Observed

__all__ = ["level_of", "service_of"]

# A container that began again was ready anew at some later time: that was no load of a replica.
_LONGEST_LOAD: Final = 3600.0
_NEARLY_ALL: Final = 3.0  # times the median


def service_of(
    spec: ModelDeploymentSpec | None,
    model: ApprovedModel | None,
    layout: Layout | None,
    observed: Sequence[Observed],
) -> Service | None:
    """None where the number of requests of a replica is fixed, or nothing tells what it does."""
    if spec is None or model is None or layout is None:
        return None
    if spec.scaling.target_queue_depth is not None:
        return None
    return Service(
        _prior(model.architecture, layout), level_of(spec), _load(observed), _key(model, layout)
    )


def _key(model: ApprovedModel, layout: Layout) -> str:
    """All that the speed of a replica follows from: weights, GPUs, and the engine's flags."""
    shape = layout.model_dump_json(exclude={"summary", "memory", "capacity", "typical_tokens"})
    return f"{model.manifest_digest} {shape}"


def _prior(architecture: Architecture, layout: Layout) -> Prior:
    card = card_of(layout.product, layout.memory.visible_bytes >> 20, (0, 0))
    limits = EngineLimits(
        layout.tensor_parallel_size,
        layout.max_num_seqs,
        layout.max_num_batched_tokens,
        layout.pipeline_parallel_size,
    )
    return Prior(
        speed=speed_of(architecture, limits, card.rates),
        cache_tokens=layout.capacity.key_value_tokens,
        max_num_seqs=layout.max_num_seqs,
    )


def level_of(spec: ModelDeploymentSpec) -> ServiceLevel:
    """What is wished, else the defaults."""
    wished, usual = spec.service_level, ServiceLevel()
    first = wished.time_to_first_token_seconds if wished else None
    between = wished.inter_token_latency_milliseconds if wished else None
    return ServiceLevel(
        time_to_first_token=usual.time_to_first_token if first is None else float(first),
        inter_token_latency=usual.inter_token_latency if between is None else between / 1000,
    )


def _load(observed: Sequence[Observed]) -> LoadTime:
    took = [
        one.pod.ready_changed - one.pod.placed
        for one in observed
        if one.pod is not None and one.pod.ready and one.pod.placed
    ]
    believed = [seconds for seconds in took if 0 < seconds <= _LONGEST_LOAD]
    if not believed:
        return LoadTime()
    middle = median(believed)
    return LoadTime(middle, max(_NEARLY_ALL * middle, middle + 60))
