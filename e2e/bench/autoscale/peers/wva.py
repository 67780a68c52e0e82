"""llm-d's Workload Variant Autoscaler, version 2 (by tokens), from its documented formula.

Not its own code: its modules are not on the Go module proxy at a version with it. For one variant::

    in use    = cache usage · cache tokens          demand = in use + waiting · mean prompt
    k1        = 0.8 · cache tokens                  capacity = min(k1, k2), median over replicas
    k2        = in use, observed while 5 or more wait; else the mean of the last 10 of those at
                answers as long; else N·(I + O/2), N = min(B·O/(I+O), S); else k1
    required  = demand / 0.85 − (ready + loading) · capacity      more by ceil(required / capacity)
    spare     = ready · capacity − demand / 0.70                  fewer by floor(spare / capacity)

B and S are --max-num-batched-tokens and --max-num-seqs, I and O mean prompt and answer. Cache usage
and waiting are the most of a minute, the means those of five; it decides each minute. What it wants
becomes a metric and a HorizontalPodAutoscaler acts on it, with the behaviour of its chart (240 s of
stabilisation both ways): that is Kubernetes' own code here, as for the others.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Final

from e2e.bench.autoscale.peers.asked import Asked, Place, Values
from e2e.bench.autoscale.peers.kubernetes import SYNC
from e2e.bench.autoscale.peers.process import Look
from escadre.core.engines.windows import BLOCK_TOKENS
from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Observation, Sight, Watched
from escadre.core.simulation.replica import ReplicaModel

__all__ = ["WVA_SPACE", "Load", "Variant", "WorkloadVariant", "derived_capacity"]

_LOOP: Final = 60.0  # GLOBAL_OPT_INTERVAL
_PEAK: Final = 60.0
_MEANS: Final = 300.0
_KEPT: Final = 10
_SHORT, _MEDIUM = 100, 500  # tokens of an answer

WVA_SPACE: Final[Values] = {
    "cache_threshold": (0.6, 0.7, 0.8, 0.9),
    "queue_threshold": (1, 3, 5, 10),
    "scale_up": (0.5, 0.6, 0.7, 0.85, 0.95),
    "scale_down": (0.3, 0.4, 0.5, 0.6, 0.7),
    "up_window": (0, 30, 120, 240),
    "down_window": (60, 240, 600, 1200),
}


@dataclass(frozen=True, slots=True)
class WorkloadVariant:
    """One setting; its defaults are those of the ConfigMap and of the chart.

    Args:
        cache_threshold: share of the cache that counts as capacity.
        queue_threshold: requests waiting from which a replica is saturated.
        scale_up: utilisation above which more is required; ``scale_down`` below which is spare.
        up_window: seconds of stabilisation of the autoscaler that acts, ``down_window`` of less.
    """

    cache_threshold: float = 0.8
    queue_threshold: int = 5
    scale_up: float = 0.85
    scale_down: float = 0.70
    up_window: int = 240
    down_window: int = 240

    def policy(self, place: Place) -> "Acted":
        """A fresh one, with its HorizontalPodAutoscaler."""
        acting = Asked(place.peers, "hpa", self.settings(place.bounds), SYNC, Sight(SYNC))
        return Acted(Variant(self, place.model), acting)

    def settings(self, bounds: Bounds) -> dict[str, Any]:
        """Of the autoscaler, as its chart has it."""
        target = {"type": "AverageValue", "averageValue": "1"}
        metric = {"metric": {"name": "wva_desired_replicas"}, "target": target}
        policies = [{"type": "Pods", "value": 10, "periodSeconds": 150}]
        spec = {
            "minReplicas": max(1, bounds.minimum),
            "maxReplicas": bounds.maximum,
            "metrics": [{"type": "External", "external": metric}],
            "behavior": {
                "scaleUp": {"stabilizationWindowSeconds": self.up_window, "policies": policies},
                "scaleDown": {"stabilizationWindowSeconds": self.down_window, "policies": policies},
            },
        }
        return {"spec": spec, "signal": "given"}


@dataclass(frozen=True, slots=True)
class Load:
    """What the metrics of a ready replica tell: tokens in its cache, requests, mean tokens."""

    in_use: int
    waiting: int
    prompt: float = 0.0
    answer: float = 0.0

    @property
    def demand(self) -> int:
        """In tokens: what is in the cache, and the prompts that wait."""
        return self.in_use + self.waiting * int(self.prompt)


def derived_capacity(model: ReplicaModel, prompt: float, answer: float) -> int:
    """Tokens in the cache of an engine whose batches are full; 0 where nothing was answered."""
    if answer <= 0:
        return 0
    steady = model.max_num_batched_tokens * answer / (prompt + answer)
    return int(min(steady, model.max_num_seqs) * (prompt + answer / 2))


@dataclass(slots=True)
class Variant:
    """The analysis of one variant, with what it has learned."""

    setting: WorkloadVariant
    model: ReplicaModel
    observed: dict[int, deque[int]] = field(default_factory=dict)
    capacity: int = 0

    def wanted(self, loads: Sequence[Load], existing: int, loading: int) -> int:
        """The metric: how many of the replicas that exist, loading ones too, there should be.

        Without a replica that tells anything the capacity is the one known last.
        """
        if loads:
            self.capacity = _median([self._capacity(one) for one in loads])
        if not self.capacity:
            return existing
        demand = sum(one.demand for one in loads)
        ready = max(0, existing - loading)
        required = demand / self.setting.scale_up - (ready + loading) * self.capacity
        if required > 0:
            return existing + math.ceil(required / self.capacity)
        spare = ready * self.capacity - demand / self.setting.scale_down
        return max(1, existing - max(0, math.floor(spare / self.capacity)))

    def _capacity(self, load: Load) -> int:
        bound = int(self.model.cache_blocks * BLOCK_TOKENS * self.setting.cache_threshold)
        return min(bound, self._compute_bound(load) or bound)

    def _compute_bound(self, load: Load) -> int:
        bucket = (load.answer >= _SHORT) + (load.answer >= _MEDIUM)
        if load.waiting >= self.setting.queue_threshold and load.in_use > 0:
            self.observed.setdefault(bucket, deque(maxlen=_KEPT)).append(load.in_use)
            return load.in_use
        if bucket in self.observed:
            return int(fmean(self.observed[bucket]))
        return derived_capacity(self.model, load.prompt, load.answer)


def _median(numbers: list[int]) -> int:
    """Of an even count the whole mean of the two in the middle."""
    ordered, middle = sorted(numbers), len(numbers) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) // 2


@dataclass(slots=True)
class _History:
    """The scrapes of one replica that the queries still see: usage, waiting; the counters."""

    peaks: deque[tuple[float, float, int]] = field(default_factory=deque)
    counts: deque[tuple[float, Work]] = field(default_factory=deque)

    def add(self, demand: Demand) -> None:
        """One scrape; the same again changes nothing."""
        at = demand.at or 0.0
        if self.peaks and self.peaks[-1][0] == at:
            return
        self.peaks.append((at, demand.cache_usage or 0.0, demand.waiting or 0))
        while self.peaks[0][0] <= at - _PEAK:
            self.peaks.popleft()
        if demand.work is not None:
            self.counts.append((at, demand.work))
        while self.counts and self.counts[0][0] < at - _MEANS:
            self.counts.popleft()

    def load(self, cache_tokens: int) -> Load:
        """As the queries tell it."""
        usage = max(one[1] for one in self.peaks)
        waiting = max(one[2] for one in self.peaks)
        return Load(int(usage * cache_tokens), waiting, *self._means())

    def _means(self) -> tuple[float, float]:
        if len(self.counts) < 2:
            return 0.0, 0.0
        first, last = self.counts[0][1], self.counts[-1][1]
        answered = (last.answered or 0) - (first.answered or 0)
        if answered <= 0:
            return 0.0, 0.0
        prompts = (last.prompt_tokens or 0) - (first.prompt_tokens or 0)
        answers = (last.generation_tokens or 0) - (first.generation_tokens or 0)
        return prompts / answered, answers / answered


@dataclass(slots=True)
class Acted:
    """The analysis each minute, and the autoscaler that acts on what it said last."""

    variant: Variant
    acting: Asked
    every: float = SYNC
    known: dict[tuple[int, float], _History] = field(default_factory=dict)
    said: int | None = None
    analysed: float = -_LOOP

    @property
    def sight(self) -> Sight:
        """As of the autoscaler."""
        return self.acting.sight

    def look(self, seen: Observation, now: float) -> int:
        """What the autoscaler wants."""
        ready = {(one.slot, one.made_at): one for one in seen.ready}
        self.known = {key: self.known.get(key) or _History() for key in ready}
        for key, one in ready.items():
            if one.demand is not None:
                self.known[key].add(one.demand)
        if self.said is None or now - self.analysed >= _LOOP:
            self.analysed = now
            self.said = self._analyse(seen.staying)
        look = Look.at_observation(self.acting.number, seen, now, float(self.said))
        return self.acting.peers.look(look)

    def _analyse(self, staying: Sequence[Watched]) -> int:
        tokens = self.variant.model.cache_blocks * BLOCK_TOKENS
        loads = [one.load(tokens) for one in self.known.values() if one.peaks]
        loading = sum(one.phase == "loading" for one in staying)
        return self.variant.wanted(loads, len(staying), loading)

    def end(self) -> None:
        """Lets the program forget its part."""
        self.acting.end()
