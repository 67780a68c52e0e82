"""An estimate of speed as people and scripts read it. Pure; `escadre layout` and `plan` use it."""

from typing import Any

from escadre.core.engines.speed import Speed

__all__ = ["cells", "document"]


def cells(speed: Speed, requests: int, tokens: int) -> tuple[str, str, str]:
    """Tokens per second: of a prompt, of a request alone, of each of ``requests`` at once.

    Each request has ``tokens`` in the cache. Two digits: the estimate has no more.
    """
    alone = 1 / speed.decode.seconds(1, tokens)
    each = 1 / speed.decode.seconds(requests, requests * tokens)
    return _two(speed.prefill_tokens_per_second), _two(alone), _two(each)


def document(speed: Speed) -> dict[str, Any]:
    """The same as JSON: tokens per second and seconds, to six digits."""
    decode = speed.decode
    return {
        "prefillTokensPerSecond": round(speed.prefill_tokens_per_second),
        "decodeStepSeconds": {
            "fixed": _six(decode.fixed),
            "perRunning": _six(decode.per_running),
            "perCachedToken": _six(decode.per_cached_token),
        },
    }


def _two(value: float) -> str:
    return f"{int(float(f'{value:.2g}')):,}" if value >= 1 else f"{value:.2g}"


def _six(value: float) -> float:
    return float(f"{value:.6g}")
