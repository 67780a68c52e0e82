"""What `escadre catalog` prints: entries in, rich renderables and JSON out. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre.api.approval import SlidingWindow
from escadre.cli.shared.marks import heading, mark
from escadre.cli.shared.tables import grid
from escadre.core.catalog.entry import SOURCES, Entry
from escadre.core.catalog.shelf import name_of
from escadre.core.decimals import bytes_text
from escadre.core.engines.gpu_memory import key_value_bytes_per_token

__all__ = ["document", "one", "table", "weights_text"]


def table(entries: Sequence[Entry]) -> Group:
    """One line for each model that can be planned with, then why the others cannot."""
    able = [entry for entry in entries if not entry.unserved]
    others = [entry for entry in entries if entry.unserved]
    parts: list[RenderableType] = []
    if able:
        parts += [_able(able), Text()]
    if others:
        parts += [_others(others), Text()]
    return Group(*parts, Text(f"{len(able)} of {len(entries)} can be planned with."))


def _able(entries: Sequence[Entry]) -> Table:
    columns = ("", "NAME", "PARAMETERS", "WEIGHTS", "CONTEXT", "LICENCE")
    table = grid(*columns, whole=("NAME",), spare=("LICENCE", "PARAMETERS"))
    for entry in entries:
        table.add_row(
            mark("ok"),
            name_of(entry),
            entry.parameters,
            weights_text(entry),
            f"{entry.documented:,}" if entry.documented else "-",
            entry.licence,
        )
    return table


def _others(entries: Sequence[Entry]) -> Table:
    table = grid("", "NOT PLANNED", "WHY", whole=("NOT PLANNED",))
    for entry in entries:
        table.add_row(mark("blocked"), name_of(entry), entry.unserved)
    return table


def weights_text(entry: Entry) -> str:
    """Bytes and type, ~ before bytes that no source states."""
    if entry.weights is None:
        return "-"
    about = "" if entry.weights.stated else "~"
    return f"{about}{bytes_text(entry.weights.size)} {entry.weights.dtype}"


def one(entry: Entry) -> Group:
    """Everything of one model, and the sources."""
    head = grid("", "")
    for name, words in _facts(entry):
        head.add_row(name, words)
    return Group(heading(f"{entry.family}  {name_of(entry)}"), head, Text(), *_sources(entry))


def _facts(entry: Entry) -> list[tuple[str, str]]:
    facts = [
        ("repository", entry.repository),
        ("parameters", entry.parameters),
        ("released", entry.released),
        ("licence", entry.licence),
        ("context", f"{entry.documented:,} documented" if entry.documented else "not documented"),
    ]
    if entry.weights is not None:
        how = "stated" if entry.weights.stated else "computed or estimated"
        facts.append(("weights", f"{weights_text(entry).removeprefix('~')}, {how}"))
    facts += _shape(entry)
    facts += [("not planned", entry.unserved)] if entry.unserved else []
    first = _first_engine(entry)
    facts += [("engine", f"vLLM {first} is the first that serves it")] if first else []
    return [*facts, *(("note", note) for note in entry.notes)]


def _first_engine(entry: Entry) -> str | None:
    return ".".join(map(str, entry.first_engine)) if any(entry.first_engine) else None


def _shape(entry: Entry) -> list[tuple[str, str]]:
    told = entry.architecture
    if told is None:
        return []
    heads = f"{told.attention_heads} heads, {told.key_value_heads} key-value heads"
    width = f"{told.layers} layers of {told.hidden_size:,}, feed-forward {told.intermediate_size:,}"
    facts = [
        ("engine's limit", f"{told.max_context_length:,} tokens"),
        ("shape", f"{width}, {heads} of {told.head_dimension}, {told.vocabulary_size:,} entries"),
    ]
    if told.experts is not None:
        one_of = f"{told.experts.per_token} of {told.experts.routed} for a token"
        facts.append(("experts", f"{one_of}, {told.experts.shared} shared"))
    if told.latent_attention is not None:
        rank = told.latent_attention
        facts.append(("latent", f"{rank.kv_lora_rank} + {rank.rope_head_dimension} for a token"))
    if told.sliding_window is not None:
        facts.append(("window", _window(told.sliding_window)))
    if told.vision_heads is not None:
        facts.append(("vision", f"encoder with {told.vision_heads} heads"))
    if told.audio_heads is not None:
        facts.append(("audio", f"encoder with {told.audio_heads} heads"))
    cached = key_value_bytes_per_token(told, 1)
    return [*facts, ("cache", f"{cached:,} bytes per token on one GPU")]


def _window(window: SlidingWindow) -> str:
    with_one = window.pattern_layers - window.full_layers
    of = f"{with_one} of {window.pattern_layers} layers" if window.full_layers else "all layers"
    return f"{of} see the last {window.tokens:,} tokens"


def _sources(entry: Entry) -> list[Text]:
    return [Text(f"Source: {SOURCES[key]}") for key in entry.sources]


def document(entry: Entry) -> dict[str, Any]:
    """The same as JSON; ``architecture`` is that of a ModelApproval."""
    told, weights = entry.architecture, entry.weights
    return {
        "name": name_of(entry),
        "repository": entry.repository,
        "family": entry.family,
        "parameters": entry.parameters,
        "released": entry.released,
        "licence": entry.licence,
        "documentedContextLength": entry.documented or None,
        "planned": not entry.unserved,
        "reason": entry.unserved or None,
        "firstEngineVersion": _first_engine(entry),
        "weightsStated": weights.stated if weights else None,
        "architecture": told.model_dump(mode="json", by_alias=True, exclude_none=True)
        if told
        else None,
        "notes": list(entry.notes),
        "sources": [SOURCES[key] for key in entry.sources],
    }
