"""What scaling is told of a replica: its speed by its layout, its service level, its loads. No I/O.

It is told of the kind of which most serve: what is measured is measured there, and what is planned
may wait for long. The loads are those of the replicas that serve, from the node to Ready; before
the first there is a guess (core/scaling/service.py).
"""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from statistics import median
from typing import Final

from escadre.api.approval import Architecture
from escadre.api.deployment import Layout, ModelDeploymentSpec
from escadre.core.engines.lastanswer import speed_in
from escadre.core.facts.model import ApprovedModel
from escadre.core.replicas.inputs import ReplicaInputs
from escadre.core.scaling.service import LoadTime, Prior, Service, ServiceLevel
from escadre.state.observe import Observed

__all__ = ["kind_of", "level_of", "service_of"]

# A container that began again was ready anew at some later time: that was no load of a replica.
_LONGEST_LOAD: Final = 3600.0
# Of the platform's part of a replica's inputs, what makes its engine faster or slower.
_FELT: Final = ("image", "extraArgs", "env")
# Of a layout, what only tells of it.
_TELLS: Final = {"summary", "memory", "capacity", "typical_tokens"}


def service_of(
    spec: ModelDeploymentSpec | None,
    model: ApprovedModel | None,
    layout: Layout | None,
    observed: Sequence[Observed],
) -> Service | None:
    """None where the number of requests of a replica is fixed, or nothing tells what it does.

    ``layout`` is the planned one, which counts while no replica on these weights is there.
    """
    if spec is None or model is None or layout is None:
        return None
    if spec.scaling.target_queue_depth is not None:
        return None
    made = _most(observed, model.manifest_digest)
    return Service(
        prior=_prior(model.architecture, (made and made.layout) or layout),
        level=level_of(spec),
        load=_load(observed),
        key=kind_of(made) or f"{model.manifest_digest} {_shape(layout)}",
    )


def _most(observed: Sequence[Observed], digest: str) -> ReplicaInputs | None:
    """What most of those that serve with these weights are made from; without any, of the rest."""
    there = [
        (kind, one)
        for one in observed
        if one.view.digest == digest and (kind := kind_of(one.record.inputs))
    ]
    serving = [one for one in there if one[1].view.state == "Ready"] or there
    kinds = Counter(kind for kind, _ in serving)
    most = max(kinds, key=lambda kind: (kinds[kind], kind), default="")
    return next((one.record.inputs for kind, one in serving if kind == most), None)


@lru_cache(maxsize=4096)
def kind_of(made: ReplicaInputs | None) -> str:
    """All that the speed of a replica follows from: weights, GPUs, the engine and its flags.

    Of the engine as it was made, not as it would be made today. "" where nobody knows.
    """
    if made is None or made.layout is None:
        return ""
    kind = f"{made.manifest_digest} {_shape(made.layout)} {_engine(made.platform)}"
    return sys.intern(kind)  # one text for all replicas of a kind


def _shape(layout: Layout) -> str:
    return layout.model_dump_json(exclude=_TELLS, exclude_defaults=True)


@lru_cache(maxsize=256)
def _engine(platform: str) -> str:
    """What is felt of the platform's part, as canonical JSON."""
    chosen = json.loads(platform)
    return json.dumps({name: chosen[name] for name in _FELT if name in chosen}, sort_keys=True)


def _prior(architecture: Architecture, layout: Layout) -> Prior:
    return Prior(
        speed=speed_in(layout, architecture),
        cache_tokens=layout.capacity.key_value_tokens,
        max_num_seqs=layout.max_num_seqs,
        max_model_len=layout.max_model_len,
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
