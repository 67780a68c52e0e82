"""What the operator exports, read as Prometheus reads it."""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from escadre.metrics.operator import DeploymentNumbers, Live, OperatorMetrics, WatchNumbers
from escadre.metrics.reference import metrics_reference

READY = ("Ready", "True", "Ready")


def _samples(registry: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = generate_latest(registry).decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _exported() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    metrics = OperatorMetrics(CollectorRegistry())
    metrics.watch(
        Live(
            queue=lambda: (3, 1.5),
            watches=lambda: [WatchNumbers("Pod", restarts=2, relists=1, silent=4.0)],
            dropped_events=lambda: 7,
            deployments=lambda: [
                DeploymentNumbers(
                    "team", "chat", 2, 1, 24, (READY,), loading=1, capacity=12, age=1.5, fullest=9
                ),
                DeploymentNumbers("team", "mute", 1, 0, None, ()),
            ],
        )
    )
    return _samples(metrics.registry)


def _of(metric: str, /, **labels: str) -> float | None:
    return _exported().get((metric, frozenset(labels.items())))


def test_the_queue_and_the_watches_are_told() -> None:
    assert _of("escadre_queue_depth") == 3
    assert _of("escadre_queue_oldest_seconds") == 1.5
    assert _of("escadre_watch_restarts_total", kind="Pod") == 2
    assert _of("escadre_watch_relists_total", kind="Pod") == 1
    assert _of("escadre_watch_silent_seconds", kind="Pod") == 4
    assert _of("escadre_events_dropped_total") == 7


def test_a_demand_that_is_unknown_is_not_told_as_zero() -> None:
    assert _of("escadre_deployment_demand", namespace="team", name="chat") == 24
    assert _of("escadre_deployment_demand_fullest", namespace="team", name="chat") == 9
    assert _of("escadre_deployment_demand", namespace="team", name="mute") is None


def test_each_condition_is_told_with_its_reason() -> None:
    labels = {"namespace": "team", "name": "chat", "type": "Ready", "status": "True"}
    assert _of("escadre_deployment_condition", **labels, reason="Ready") == 1


def test_what_scaling_rests_on_is_told() -> None:
    chat = {"namespace": "team", "name": "chat"}
    assert _of("escadre_deployment_replicas_desired", **chat) == 2
    assert _of("escadre_deployment_replicas_ready", **chat) == 1
    assert _of("escadre_deployment_replicas_loading", **chat) == 1
    assert _of("escadre_deployment_capacity", **chat) == 12
    assert _of("escadre_deployment_signal_age_seconds", **chat) == 1.5
    assert _of("escadre_deployment_capacity", namespace="team", name="mute") is None


def test_the_time_of_decisions_and_scrapes_that_fail_are_counted() -> None:
    metrics = OperatorMetrics(CollectorRegistry())
    metrics.decided(0.02)
    metrics.scrape_failed("Timeout")
    found = _samples(metrics.registry)
    assert found["escadre_scaling_decision_seconds_count", frozenset()] == 1
    assert found["escadre_scaling_decision_seconds_sum", frozenset()] == 0.02
    assert found["escadre_scrape_failures_total", frozenset({("cause", "Timeout")})] == 1


def test_every_metric_stands_in_the_reference() -> None:
    page = metrics_reference()
    for name, _ in _exported():
        base = name.removesuffix("_created")
        for ending in ("_bucket", "_count", "_sum"):
            base = base.removesuffix(ending)
        assert f"| `{base}` |" in page or f"| `{base}_total` |" in page
