"""The requests of bench-live: ten minutes of a published log with two bursts, and their prompts."""

from typing import Final

from e2e.bench.autoscale.traces import TRACES
from escadre.core.simulation.replica import Request

__all__ = ["LONGEST", "cut", "prompt_of"]

LONGEST: Final = 600
_BEGIN: Final = 120.0  # minutes without a request, then 531 of them in one
_BYTES_PER_TOKEN: Final = 4  # as e2e/engine/standin counts them
_AROUND: Final = 4  # tokens around a chat's message
_SPEAKER: Final = len("user: ")
_MOST: Final = 8000  # tokens of a prompt: what goes beyond the context would be refused


def cut(seconds: float) -> list[Request]:
    """So many seconds of it, from 0."""
    (log,) = TRACES[0].draw("tuning", 0)
    return [
        Request(one.at - _BEGIN, min(one.prompt, _MOST), one.answer)
        for one in log
        if _BEGIN <= one.at < _BEGIN + seconds
    ]


def prompt_of(number: int, tokens: int) -> str:
    """A text that the stand-in counts as so many tokens, as far as its least prompt allows."""
    head = f"{number} "
    return head + "x" * max(0, (tokens - _AROUND) * _BYTES_PER_TOKEN - _SPEAKER - len(head))
