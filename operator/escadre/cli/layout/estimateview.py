"""What `escadre layout estimate` prints: an estimate in, rich renderables and JSON out. Pure."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre.cli.layout.legal import with_notes, words_of
from escadre.cli.shared import speeds
from escadre.cli.shared.marks import mark
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import bytes_text, tokens
from escadre.core.engines.cards import Card
from escadre.core.engines.speed import Speed
from escadre.core.layouts.estimate import Estimate, Filled, Launch

__all__ = ["Told", "document", "view"]


@dataclass(frozen=True, slots=True)
class Told:
    """What was asked, what came of it, and what there is to say besides."""

    launch: Launch
    found: Estimate
    card: Card | None
    notes: tuple[str, ...]
    speed: Speed | None = None


def view(told: Told) -> Group:
    """Whether it fits and why not, then the GPU term by term."""
    refusal, filled = told.found.refusal, told.found.filled
    head = grid("", "", "")
    if refusal:
        head.add_row(mark("blocked"), "no", f"{refusal.reason}: {words_of(refusal)}")
    else:
        head.add_row(mark("ok"), "fits", _what(told))
    parts: list[RenderableType] = [head]
    if filled is not None:
        parts += [Text(), _terms(told.launch, filled), Text(), *_holds(told.launch, filled)]
        parts += _pace(told.launch, filled, told.speed)
    return with_notes(parts, told.notes)


def _what(told: Told) -> str:
    product = told.card.product if told.card else "GPU"
    limits = told.launch.limits
    size = limits.tensor_parallel_size * limits.pipeline_parallel_size
    return f"{tokens(told.launch.max_model_len)} on {size} × {product}"


def _terms(launch: Launch, filled: Filled) -> Table:
    table = grid("ONE GPU", "SIZE", "BYTES", "")
    fill, overhead = filled.fill, filled.overhead
    share = f"× {float(launch.utilization):g} for vLLM"
    rows = (
        ("visible", fill.visible_bytes, ""),
        ("usable", fill.usable_bytes, share),
        ("weights", fill.weights_bytes, ""),
        ("activation", overhead.activation, _step(launch)),
        ("CUDA graphs", overhead.graphs, ""),
        ("non-torch", overhead.non_torch, ""),
        ("cache", fill.cache_bytes, f"{fill.bytes_per_token:,} bytes per token"),
    )
    for name, amount, words in rows:
        size = bytes_text(abs(amount))
        table.add_row(name, f"-{size}" if amount < 0 else size, f"{amount:,}", words)
    return table


def _step(launch: Launch) -> str:
    limits = launch.limits
    return f"{limits.max_num_batched_tokens:,} tokens, {limits.max_num_seqs:,} sequences at once"


def _holds(launch: Launch, filled: Filled) -> list[Text]:
    held = _hundredths(filled.concurrency)
    tokens_ = tokens(filled.key_value_tokens)
    return [
        Text(f"The cache holds {tokens_}: {held:.2f} × max-model-len {launch.max_model_len:,}."),
        Text(f"The longest max-model-len that fits is {filled.longest:,}."),
    ]


def _pace(launch: Launch, filled: Filled, speed: Speed | None) -> list[RenderableType]:
    """Where all requests run at once, with as much of the cache as each can have."""
    if speed is None or filled.key_value_tokens <= 0:
        return []
    requests = launch.limits.max_num_seqs
    each = max(1, min(launch.max_model_len, filled.key_value_tokens // requests))
    prompts, alone, together = speeds.cells(speed, requests, each)
    words = (
        f"Estimated speed, in tokens per second: {prompts} of a prompt; with {tokens(each)} in the "
        f"cache {alone} for one request alone, {together} for each of {requests:,} at once."
    )
    return [Text(words)]


def _hundredths(value: Fraction) -> float:
    """Rounded down: never more than there is."""
    return (value.numerator * 100 // value.denominator) / 100


def document(told: Told) -> dict[str, Any]:
    """The same as JSON; the terms are null when the layout is not legal."""
    refusal, filled = told.found.refusal, told.found.filled
    return {
        **(_numbers(filled) if filled else dict.fromkeys(_TERMS)),
        "visible": told.launch.visible_bytes,
        "fits": refusal is None,
        "reason": refusal.reason.name if refusal else None,
        "message": words_of(refusal) if refusal else None,
        "maxNumBatchedTokens": told.launch.limits.max_num_batched_tokens,
        "speed": speeds.document(told.speed) if told.speed else None,
        "gpu": told.card.product if told.card else None,
        "notes": list(told.notes),
    }


_TERMS = (
    "weights",
    "kvCache",
    "activation",
    "graphs",
    "nonTorch",
    "usable",
    "kvTokens",
    "maxConcurrency",
    "maxModelLenThatFits",
)


def _numbers(filled: Filled) -> dict[str, int | float]:
    values = (
        filled.fill.weights_bytes,
        filled.fill.cache_bytes,
        filled.overhead.activation,
        filled.overhead.graphs,
        filled.overhead.non_torch,
        filled.fill.usable_bytes,
        filled.key_value_tokens,
        _hundredths(filled.concurrency),
        filled.longest,
    )
    return dict(zip(_TERMS, values, strict=True))
