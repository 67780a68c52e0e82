"""Metrics of the operator, on a registry that is passed in. Names and labels in one place.

Label values are bounded: kinds, results and reasons come from fixed lists, deployments from what
exists now (collected at scrape time, so that what is gone is gone). A standby says that it is one
(``escadre_leader`` 0); the fleet's series are the leader's alone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

__all__ = ["DeploymentNumbers", "Live", "OperatorMetrics", "WatchNumbers"]


@dataclass(frozen=True, slots=True)
class DeploymentNumbers:
    """What one ModelDeployment exports."""

    namespace: str
    name: str
    desired: int
    ready: int
    demand: int | None
    conditions: tuple[tuple[str, str, str], ...]  # type, status, reason
    loading: int = 0
    capacity: int | None = None
    age: float | None = None
    fullest: int | None = None


_DEPLOYMENT: Final = ("namespace", "name")
_NUMBERS: Final = {
    "replicas_desired": "Replicas wanted.",
    "replicas_ready": "Replicas ready.",
    "replicas_loading": "Replicas that load.",
    "demand": "Requests running and waiting; missing while they are unknown.",
    "capacity": "Requests that one replica is to hold; missing before there is a layout.",
    "signal_age_seconds": "Age of the oldest reading that the demand is counted from.",
    "demand_fullest": "Requests of the replica with most; far above the mean: kept connections.",
}


class OperatorMetrics:
    """Counters that the process feeds, and gauges that are read when scraped."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._reconciles = Counter(
            "escadre_reconciles",
            "Reconciles by kind of key and result.",
            ["kind", "result"],
            registry=registry,
        )
        self._seconds = Histogram(
            "escadre_reconcile_seconds",
            "Duration of reconciles by kind of key.",
            ["kind"],
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
            registry=registry,
        )
        self._requests = Counter(
            "escadre_api_requests",
            "Requests to the API server by verb, kind and code.",
            ["verb", "kind", "code"],
            registry=registry,
        )
        self._scrape_failures = Counter(
            "escadre_scrape_failures",
            "Engines whose metrics could not be read, by cause.",
            ["cause"],
            registry=registry,
        )
        self._decisions = Histogram(
            "escadre_scaling_decision_seconds",
            "Time that a round of scaling took to decide, for all deployments together.",
            buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
            registry=registry,
        )
        self._scrapes = Histogram(
            "escadre_scrape_seconds",
            "Duration of reading one engine's metrics, failed ones among them.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
            registry=registry,
        )
        self._leader = Gauge(
            "escadre_leader",
            "1 on the replica that holds the Lease, 0 on a standby: no queue, no deployments.",
            registry=registry,
        )
        self._leader.set(0)

    def reconciled(self, result: str, kind: str, seconds: float) -> None:
        """One reconcile ended."""
        self._reconciles.labels(kind=kind, result=result).inc()
        self._seconds.labels(kind=kind).observe(seconds)

    def requested(self, verb: str, kind: str, code: str, seconds: float) -> None:
        """One request to the API server ended."""
        del seconds
        self._requests.labels(verb=verb, kind=kind, code=code).inc()

    def scrape_failed(self, cause: str) -> None:
        """The metrics of an engine could not be read."""
        self._scrape_failures.labels(cause=cause).inc()

    def scraped(self, seconds: float) -> None:
        """An engine's metrics were asked for; how long it took, also where it failed."""
        self._scrapes.observe(seconds)

    def decided(self, seconds: float) -> None:
        """A round over the deployments decided how many replicas each wants."""
        self._decisions.observe(seconds)

    def leading(self, yes: bool) -> None:
        """Whether this replica is the leader."""
        self._leader.set(1 if yes else 0)

    def watch(self, live: "Live") -> None:
        """Registers what is read at scrape time."""
        self.registry.register(_Read(live))


@dataclass(frozen=True, slots=True)
class WatchNumbers:
    """How the watch of one kind goes; ``silent`` in seconds since the server's last word."""

    kind: str
    restarts: int
    relists: int
    silent: float


@dataclass(frozen=True, slots=True)
class Live:
    """Where the numbers of a moment are asked for: queue depth and age, watches, events, fleet."""

    queue: Callable[[], tuple[int, float]]
    watches: Callable[[], Iterable[WatchNumbers]]
    dropped_events: Callable[[], int]
    deployments: Callable[[], Iterable[DeploymentNumbers]]


class _Read(Collector):
    def __init__(self, live: Live) -> None:
        self._live = live

    @override
    def collect(self) -> Iterable[Metric]:
        depth, age = self._live.queue()
        yield GaugeMetricFamily("escadre_queue_depth", "Keys that wait.", value=depth)
        yield GaugeMetricFamily(
            "escadre_queue_oldest_seconds", "Age of the key that waits longest.", value=age
        )
        yield CounterMetricFamily(
            "escadre_events_dropped",
            "Events not told, because an object had too many or the API server took none.",
            value=self._live.dropped_events(),
        )
        yield from self._watches()
        yield from self._deployments()

    def _watches(self) -> Iterable[Metric]:
        restarts = CounterMetricFamily(
            "escadre_watch_restarts", "Watches begun anew, by kind.", labels=["kind"]
        )
        relists = CounterMetricFamily(
            "escadre_watch_relists", "Lists after the first one, by kind.", labels=["kind"]
        )
        silent = GaugeMetricFamily(
            "escadre_watch_silent_seconds",
            "Time since the API server's last word, by kind; begun anew after 90 s.",
            labels=["kind"],
        )
        for one in self._live.watches():
            restarts.add_metric([one.kind], one.restarts)
            relists.add_metric([one.kind], one.relists)
            silent.add_metric([one.kind], one.silent)
        yield from (restarts, relists, silent)

    def _deployments(self) -> Iterable[Metric]:
        numbers = {
            name: GaugeMetricFamily(f"escadre_deployment_{name}", help_, labels=_DEPLOYMENT)
            for name, help_ in _NUMBERS.items()
        }
        condition = GaugeMetricFamily(
            "escadre_deployment_condition",
            "1 for the reason each condition has now.",
            labels=[*_DEPLOYMENT, "type", "status", "reason"],
        )
        for one in self._live.deployments():
            at = [one.namespace, one.name]
            known = (
                one.desired,
                one.ready,
                one.loading,
                one.demand,
                one.capacity,
                one.age,
                one.fullest,
            )
            for family, number in zip(numbers.values(), known, strict=True):
                if number is not None:
                    family.add_metric(at, number)
            for type_, status, reason in one.conditions:
                condition.add_metric([*at, type_, status, reason], 1)
        yield from (*numbers.values(), condition)
