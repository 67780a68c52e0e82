"""What /metrics of an engine tells that has served for so long: recorded from vLLM, moved on.

It answers one request of chat every two seconds and has two in its batch on average, so its
counters rise as those of an engine at work do, and the operator learns from them.
"""

from functools import lru_cache
from importlib.resources import files
from typing import Final

__all__ = ["page"]

_RECORDED: Final = "vllm-0.32-metrics.txt"
_RUNNING: Final = (1, 2, 3, 2)  # by turns, a second each
_ANSWERED: Final = 0.5  # requests per second
_PROMPT: Final = 1155  # tokens; the mean request of the Azure 2023 conversation trace
_ANSWER: Final = 211
_PREFILL: Final = 0.07  # seconds of a prompt
_CACHE: Final = 0.02


def page(seconds: float) -> bytes:
    """The body; it changes once a second."""
    return _page(int(seconds))


@lru_cache(maxsize=2)
def _page(second: int) -> bytes:
    values, lines = _values(second), []
    for line in _recorded():
        value = values.pop(line.partition(b"{")[0], None)
        lines.append(line if value is None else b"%s %s\n" % (line.rpartition(b" ")[0], value))
    assert not values, f"{_RECORDED} has no {', '.join(map(bytes.decode, values))}"
    return b"".join(lines)


@lru_cache(maxsize=1)
def _recorded() -> tuple[bytes, ...]:
    body = (files("e2e.engine.standin") / _RECORDED).read_bytes()
    return tuple(body.splitlines(keepends=True))


def _values(second: int) -> dict[bytes, bytes]:
    """By the name of the metric, of which the first series is meant."""
    answered = int(second * _ANSWERED)
    tokens = int(second * _ANSWERED * _ANSWER)
    found = {
        "num_requests_running": _RUNNING[second % len(_RUNNING)],
        "kv_cache_usage_perc": _CACHE,
        "prompt_tokens_total": answered * _PROMPT,
        "generation_tokens_total": tokens,
        "request_success_total": answered,
        "request_prefill_time_seconds_count": answered,
        "request_prefill_time_seconds_sum": answered * _PREFILL,
        "request_prefill_kv_computed_tokens_sum": answered * _PROMPT,
        "inter_token_latency_seconds_count": tokens,
        "inter_token_latency_seconds_sum": second * sum(_RUNNING) / len(_RUNNING),
    }
    return {f"vllm:{name}".encode(): repr(float(one)).encode() for name, one in found.items()}
