"""The /metrics of the stand-in: vLLM's families, with its help texts, labels and buckets.

The families are declared by a body recorded from vLLM 0.32.0 (``vllm-0.32-metrics.txt`` beside
this file), so names and size are vLLM's by construction; the values are the stand-in's own.
Called by ``engine.py`` (tokens, requests) and ``server.py`` (HTTP); it decides nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["CacheInfo", "EngineMetrics", "Finished"]

_RECORDED: Final = "vllm-0.32-metrics.txt"
_CACHE: Final = "vllm:cache_config_info"
_BY_LENGTH: Final = frozenset(  # buckets 1-2-5 up to the model's length
    f"vllm:request_{name}"
    for name in (
        "prompt_tokens",
        "generation_tokens",
        "max_num_generation_tokens",
        "params_max_tokens",
        "prefill_kv_computed_tokens",
    )
)
_HTTP_SIZES: Final = ("http_request_size_bytes", "http_response_size_bytes")
_HTTP_HIGH: Final = "http_request_duration_highr_seconds"
_HTTP_LOW: Final = "http_request_duration_seconds"
_SPACED: Final = frozenset({*_HTTP_SIZES, _HTTP_HIGH, _HTTP_LOW})


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What the stand-in knows of its KV cache, for ``vllm:cache_config_info``."""

    block_size: int
    blocks: int
    tokens: int
    bytes: int
    max_concurrency: float
    dtype: str
    utilization: float

    def labels(self) -> dict[str, str]:
        """The labels that differ from the recorded engine's."""
        return {
            "block_size": str(self.block_size),
            "effective_attention_block_size": str(self.block_size),
            "num_gpu_blocks": str(self.blocks),
            "kv_cache_size_tokens": str(self.tokens),
            "kv_cache_memory_bytes": str(self.bytes),
            "kv_cache_max_concurrency": str(self.max_concurrency),
            "cache_dtype": self.dtype,
            "gpu_memory_utilization": str(self.utilization),
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """The figures of one request that ended, times in seconds."""

    reason: str
    prompt_tokens: int
    generated: int
    max_tokens: int
    preemptions: int
    queued: float
    prefill: float
    decode: float


class EngineMetrics:
    """One registry with the families of one engine."""

    def __init__(self, *, model_name: str, max_model_len: int, cache: CacheInfo) -> None:
        self._registry = CollectorRegistry()
        for collector in (GC_COLLECTOR, PLATFORM_COLLECTOR, PROCESS_COLLECTOR):
            self._registry.register(collector)
        self._labels = {"model_name": model_name, "engine": "0"}
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        self._summaries: dict[str, Summary] = {}
        for family in _recorded():
            self._declare(family, max_model_len, cache)
        self._gauges["vllm:engine_sleep_state"].labels(**self._labels, sleep_state="awake").set(1)

    def render(self) -> bytes:
        """The body, as prometheus_client writes it for vLLM too."""
        return generate_latest(self._registry)

    def load(self, *, running: int, waiting: int, kv_usage: float) -> None:
        """Set the gauges of the scheduler."""
        reasons = self._gauges["vllm:num_requests_waiting_by_reason"]
        self._gauge("vllm:num_requests_running").set(running)
        self._gauge("vllm:num_requests_waiting").set(waiting)
        reasons.labels(**self._labels, reason="capacity").set(waiting)
        self._gauge("vllm:kv_cache_usage_perc").set(kv_usage)

    def step(self, *, prompt: int, generated: int) -> None:
        """Count one engine step; prompts are counted when they are whole, as vLLM does."""
        self._counter("vllm:prompt_tokens").inc(prompt)
        computed = self._counters["vllm:prompt_tokens_by_source"]
        computed.labels(**self._labels, source="local_compute").inc(prompt)
        self._counter("vllm:generation_tokens").inc(generated)
        if prompt or generated:
            self._observe("vllm:iteration_tokens_total", prompt + generated)

    def first_token(self, seconds: float) -> None:
        """Time from arrival to the first token."""
        self._observe("vllm:time_to_first_token_seconds", seconds)

    def next_token(self, seconds: float) -> None:
        """Time from one token to the next."""
        self._observe("vllm:inter_token_latency_seconds", seconds)

    def queried(self, prompt_tokens: int) -> None:
        """A prompt was looked up in the prefix cache (and never found)."""
        self._counter("vllm:prefix_cache_queries").inc(prompt_tokens)

    def preempted(self, count: int) -> None:
        """Requests went back to the queue."""
        self._counter("vllm:num_preemptions").inc(count)

    def finished(self, request: Finished) -> None:
        """Count one request that ended."""
        success = self._counters["vllm:request_success"]
        success.labels(**self._labels, finished_reason=request.reason).inc()
        inference = request.prefill + request.decode
        values: Mapping[str, float] = {
            "request_prompt_tokens": request.prompt_tokens,
            "request_generation_tokens": request.generated,
            "request_max_num_generation_tokens": request.generated,
            "request_params_n": 1,
            "request_params_max_tokens": request.max_tokens,
            "request_prefill_kv_computed_tokens": request.prompt_tokens,
            "request_num_preemptions": request.preemptions,
            "e2e_request_latency_seconds": request.queued + inference,
            "request_queue_time_seconds": request.queued,
            "request_inference_time_seconds": inference,
            "request_prefill_time_seconds": request.prefill,
            "request_decode_time_seconds": request.decode,
            "request_time_per_output_token_seconds": request.decode / max(1, request.generated - 1),
        }
        for name, value in values.items():
            self._observe(f"vllm:{name}", value)

    def http(
        self, *, handler: str, method: str, status: int, sizes: tuple[int, int], seconds: float
    ) -> None:
        """Count one HTTP exchange with the sizes of request and response."""
        requests = self._counters["http_requests"]
        requests.labels(handler=handler, method=method, status=f"{status // 100}xx").inc()
        for name, size in zip(_HTTP_SIZES, sizes, strict=True):
            self._summaries[name].labels(handler=handler).observe(size)
        self._histograms[_HTTP_HIGH].observe(seconds)
        duration = self._histograms[_HTTP_LOW]
        duration.labels(handler=handler, method=method).observe(seconds)

    def _declare(self, family: Metric, max_model_len: int, cache: CacheInfo) -> None:
        """Register one recorded family, with the children that a fresh vLLM shows at once."""
        name, text, registry = family.name, family.documentation, self._registry
        series = [self._relabelled(name, labels, cache) for labels in _series(family)]
        names = tuple(series[0]) if series else _http_labels(name)
        metric: Counter | Gauge | Histogram | Summary
        if family.type == "counter":
            metric = self._counters[name] = Counter(name, text, names, registry=registry)
        elif family.type == "gauge":
            metric = self._gauges[name] = Gauge(name, text, names, registry=registry)
        elif family.type == "histogram":
            bounds = _one_two_five(max_model_len) if name in _BY_LENGTH else _bounds(family)
            metric = Histogram(name, text, names, registry=registry, buckets=bounds)
            self._histograms[name] = metric
        else:
            metric = self._summaries[name] = Summary(name, text, names, registry=registry)
        for labels in series:
            metric.labels(**labels)
        if name == _CACHE:
            self._gauges[name].labels(**series[0]).set(1)

    def _relabelled(self, name: str, labels: dict[str, str], cache: CacheInfo) -> dict[str, str]:
        own = {key: value for key, value in self._labels.items() if key in labels}
        return labels | own | (cache.labels() if name == _CACHE else {})

    def _counter(self, name: str) -> Counter:
        return self._counters[name].labels(**self._labels)

    def _gauge(self, name: str) -> Gauge:
        return self._gauges[name].labels(**self._labels)

    def _observe(self, name: str, value: float) -> None:
        self._histograms[name].labels(**self._labels).observe(value)


def _recorded() -> Iterable[Metric]:
    body = (files(__package__) / _RECORDED).read_text(encoding="utf-8")
    for family in text_string_to_metric_families(body):
        if not family.name.endswith("_created") and family.name.startswith(("vllm:", "http_")):
            if family.name in _SPACED:
                family.documentation += " "  # the instrumentator's; the parser strips it
            yield family


def _series(family: Metric) -> list[dict[str, str]]:
    """The label sets of an engine's family, without the buckets', in order of appearance."""
    if not family.name.startswith("vllm:"):
        return []  # those of HTTP come with the first exchange
    found: list[dict[str, str]] = []
    for sample in family.samples:
        labels = {key: value for key, value in sample.labels.items() if key != "le"}
        if labels not in found:
            found.append(labels)
    return found


def _http_labels(name: str) -> tuple[str, ...]:
    if name == "http_requests":
        return ("handler", "method", "status")
    if name == _HTTP_HIGH:
        return ()
    return ("handler", "method") if name == _HTTP_LOW else ("handler",)


def _bounds(family: Metric) -> list[float]:
    """The bucket bounds of a recorded histogram; the instrumentator's own when it was empty."""
    bounds = sorted({float(s.labels["le"]) for s in family.samples if "le" in s.labels})
    return bounds or [0.1, 0.5, 1.0, float("inf")]


def _one_two_five(limit: int) -> list[float]:
    bounds: list[float] = []
    scale = 1
    while scale <= limit:
        bounds.extend(float(scale * step) for step in (1, 2, 5) if scale * step <= limit)
        scale *= 10
    return bounds
