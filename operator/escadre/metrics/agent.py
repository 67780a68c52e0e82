"""Metrics of the agent: names, labels and meaning in one place, on an injected registry.

No label names a model: their number is bounded by nothing here. ``reason`` is of escadre.reasons.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

from escadre.reasons import INTERNAL_ERROR, Reason

__all__ = ["AgentMetrics"]


class AgentMetrics:
    """What an agent counts.

    Args:
        registry: where the metrics are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._bytes = Counter(
            "escadre_agent_pull_bytes",
            "Bytes received from mirrors, repeated ones included.",
            registry=registry,
        )
        self._failures = Counter(
            "escadre_agent_pull_failures",
            "Pulls that ended in a failure, by reason.",
            ["reason"],
            registry=registry,
        )
        self._pulled = Counter(
            "escadre_agent_pulls", "Models pulled and verified.", registry=registry
        )
        self._withdrawn = Counter(
            "escadre_agent_withdrawn",
            "Verified models whose files changed, so that they had to be verified anew.",
            registry=registry,
        )
        self._verified = Gauge(
            "escadre_agent_verified_models", "Models verified on this node.", registry=registry
        )
        self._rate = Gauge(
            "escadre_agent_pull_bytes_per_second",
            "Rate of the pull under way, 0 without one.",
            registry=registry,
        )
        self._store = Gauge(
            "escadre_agent_store_bytes",
            "The store's file system: used and free bytes.",
            ["state"],
            registry=registry,
        )
        self._gpus = Gauge(
            "escadre_agent_gpus", "GPUs of this node by health.", ["healthy"], registry=registry
        )
        self._writes = Counter(
            "escadre_agent_status_writes",
            "Writes of GPUNode.status by result.",
            ["result"],
            registry=registry,
        )

    def received(self, count: int) -> None:
        """Bytes came from a mirror."""
        self._bytes.inc(count)

    def pull_failed(self, reason: Reason) -> None:
        """A pull ended in a failure."""
        self._failures.labels((reason if reason.listed else INTERNAL_ERROR).name).inc()

    def pulled(self) -> None:
        """A model was pulled and verified."""
        self._pulled.inc()

    def withdrawn(self, count: int) -> None:
        """Models no longer count as verified."""
        self._withdrawn.inc(count)

    def verified(self, count: int) -> None:
        """So many models are verified."""
        self._verified.set(count)

    def rate(self, bytes_per_second: int) -> None:
        """So fast is the pull under way."""
        self._rate.set(bytes_per_second)

    def store(self, capacity: int, free: int) -> None:
        """How full the store is."""
        self._store.labels("used").set(capacity - free)
        self._store.labels("free").set(free)

    def gpus(self, healthy: int, unhealthy: int) -> None:
        """How many GPUs are well."""
        self._gpus.labels("true").set(healthy)
        self._gpus.labels("false").set(unhealthy)

    def status_written(self, result: str) -> None:
        """A status was written, or not: ``ok`` or ``error``."""
        self._writes.labels(result).inc()
