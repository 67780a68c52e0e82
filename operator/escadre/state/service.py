"""What scaling is told of a replica: its speed by its layout, its service level, its loads. No I/O.

The loads are those of the replicas that serve, from the node to Ready; before the first there is a
guess (core/scaling/service.py).
"""

import json
from collections.abc import Sequence
from functools import lru_cache
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
# Of the platform's part of a replica's inputs, what makes its engine faster or slower.
_FELT: Final = ("image", "extraArgs", "env")


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
        prior=_prior(model.architecture, layout),
        level=level_of(spec),
        load=_load(observed),
        key=_key(model, layout, observed),
    )


def _key(model: ApprovedModel, layout: Layout, observed: Sequence[Observed]) -> str:
    """All that the speed of a replica follows from: weights, GPUs, the engine and its flags.

    The engines are those that serve, as they were made, for they are measured: a new image that
    waits for its rollout is none yet. While two serve, what both do together is learned apart.
    """
    shape = layout.model_dump_json(exclude={"summary", "memory", "capacity", "typical_tokens"})
    serving = [one for one in observed if one.view.state == "Ready"] or observed
    made = {one.record.inputs.platform for one in serving if one.record.inputs is not None}
    return " ".join((model.manifest_digest, shape, *sorted({_engine(one) for one in made})))


@lru_cache(maxsize=256)
def _engine(platform: str) -> str:
    """What is felt of the platform's part, as canonical JSON."""
    chosen = json.loads(platform)
    return json.dumps({name: chosen[name] for name in _FELT if name in chosen}, sort_keys=True)


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
    percentile = wished.percentile if wished else None
    return ServiceLevel(
        time_to_first_token=usual.time_to_first_token if first is None else float(first),
        inter_token_latency=usual.inter_token_latency if between is None else between / 1000,
        share=usual.share if percentile is None else percentile / 100,
    )


def _load(observed: Sequence[Observed]) -> LoadTime:
    took = [
        one.pod.ready_changed - one.pod.placed
        for one in observed
        if one.pod is not None and one.pod.ready and one.pod.placed
    ]
    believed = [seconds for seconds in took if 0 < seconds <= _LONGEST_LOAD]
    return LoadTime.about(median(believed)) if believed else LoadTime()
