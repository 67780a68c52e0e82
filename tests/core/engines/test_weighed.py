"""Weights and cache of one GPU, held against vLLM's own layers for the catalog's models.

The table is made by `make oracle`, with vLLM and without a GPU; here it is read without vLLM. Each
row is the first GPU of a stage: bytes of the layers' parameters and constant buffers as vLLM lays
them out before it loads, and of the cache that its attention layers ask for.
"""

import json
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import pytest
from e2e.engine.oracle.__main__ import ENCODED, WEIGHED
from e2e.engine.oracle.published import published
from typing_extensions import override

from escadre.api.approval import Architecture
from escadre.core.catalog.shelf import find
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.encoding import encoding_bytes
from escadre.core.engines.gpu_memory import key_value_bytes_per_token
from escadre.core.engines.limits import EngineLimits, stages_of
from escadre.core.engines.weights_memory import weights_bytes

_COLLECTIVES = 128 * MIB  # what several GPUs take while loading: not in the layers
_TINY = 128 * 1024  # bytes of single numbers and of filters for sound, which are not counted


@dataclass(frozen=True, slots=True)
class Weighed:
    """One GPU of one model, as vLLM has it; ``whole`` are the parameters of all of the model."""

    model: str
    form: str
    dtype: str
    whole: int
    size: int
    stages: int
    stage: int
    parameters: int
    buffers: int
    cache: int

    @override
    def __str__(self) -> str:
        return f"{self.model} {self.form} TP{self.size} PP{self.stages}.{self.stage}"

    @property
    def facts(self) -> Architecture:
        """Of the catalog, with the weights as they were weighed."""
        entry = find(self.model)
        assert entry is not None
        assert entry.architecture is not None
        return entry.architecture.model_copy(
            update={"weight_bytes": self.whole, "format": self.form, "dtype": self.dtype}
        )


@cache
def table() -> tuple[Weighed, ...]:
    rows: list[Weighed] = []
    lines = WEIGHED.read_text(encoding="ascii").splitlines()
    for model, line in zip(published(), map(json.loads, lines), strict=True):
        assert line["model"] == model.name
        whole = line["ranks"][0][3]
        rows += (
            Weighed(model.name, model.form, model.dtype, whole, *rank) for rank in line["ranks"]
        )
        asked = [(size, stages, at) for size, stages in model.layouts for at in range(stages)]
        assert [tuple(rank[:3]) for rank in line["ranks"]] == asked
    return tuple(rows)


def unsplit() -> list[Weighed]:
    return [row for row in table() if row.stages == 1]


@pytest.mark.parametrize("row", unsplit(), ids=str)
def test_the_cache_of_a_token_is_what_the_attention_layers_ask_for(row: Weighed) -> None:
    assert key_value_bytes_per_token(row.facts, row.size) == row.cache


@pytest.mark.parametrize("row", unsplit(), ids=str)
def test_the_weights_are_those_of_the_layers_and_little_more(row: Weighed) -> None:
    laid = row.parameters + row.buffers
    more = weights_bytes(row.facts, row.size) - later(row) - laid
    assert -_TINY <= more <= max(laid // 100, GIB // 4) + projector(row)


def later(row: Weighed) -> int:
    """Bytes that come after the layers: buffers of collectives, copies of MLA's projections."""
    collectives = _COLLECTIVES if row.size > 1 else 0
    latent = row.facts.latent_attention
    if latent is None:
        return collectives
    heads = row.facts.attention_heads // row.size
    width = 2 * heads * row.facts.head_dimension * latent.kv_lora_rank
    return collectives + 2 * row.facts.layers * width


def projector(row: Weighed) -> int:
    """Counted whole on each GPU; the layers for Hugging Face's files split it."""
    seeing = row.form == "huggingface" and row.facts.vision_heads is not None
    return 2 * 2 * row.facts.hidden_size**2 if seeing else 0


def staged() -> list[list[Weighed]]:
    """The stages of each layout that has several."""
    rows = (row for row in table() if row.stages > 1)
    groups = groupby(rows, lambda row: (row.model, row.form, row.size, row.stages))
    return [list(group) for _, group in groups]


def test_the_stages_are_cut_as_vllm_cuts_them() -> None:
    for rows in staged():
        facts = rows[0].facts
        layer = key_value_bytes_per_token(facts, rows[0].size) // facts.layers
        cut = stages_of(facts.layers, rows[0].stages)
        assert [layer * one.layers for one in cut] == [row.cache for row in rows]


@pytest.mark.parametrize("rows", staged(), ids=lambda rows: str(rows[-1]))
def test_the_heaviest_stage_is_counted_with_all_it_holds(rows: list[Weighed]) -> None:
    """Where the headers were not read: up to an embedding and an encoder more."""
    facts, size = rows[0].facts, rows[0].size
    heaviest = max(row.parameters + row.buffers for row in rows)
    ours = max(weights_bytes(facts, size, one) for one in stages_of(facts.layers, len(rows)))
    unread = 2 * facts.vocabulary_size * facts.hidden_size + encoder(facts)
    more = ours - later(rows[0]) - heaviest
    assert -_TINY <= more <= max(heaviest // 33, GIB // 4) + unread // size + projector(rows[0])


def encoder(facts: Architecture) -> int:
    """What bounds an encoder of which nothing was read; with latent attention none was weighed."""
    if facts.vision_heads is None and facts.audio_heads is None:
        return 0
    return GIB if facts.hidden_size < 6144 else 5 * GIB


@pytest.mark.parametrize(
    ("model", "form", "size", "images", "most"),
    [
        (told["model"], told["form"], *peak)
        for told in map(json.loads, ENCODED.read_text(encoding="utf-8").splitlines())
        for peak in told["peaks"]
    ],
)
def test_encoding_images_peaks_as_in_vllms_layers(
    model: str, form: str, size: int, images: int, most: int
) -> None:
    """Never less, and 10 % more at most; the pixels are counted in float32, and come in 16 bits."""
    entry = find(model)
    assert entry is not None
    assert entry.architecture is not None
    limits = EngineLimits(size, 1, images * 3080)  # 55 rows of 55 tokens, and the breaks of lines
    facts = entry.architecture.model_copy(update={"format": form})
    ours = encoding_bytes(facts, limits)
    assert most <= ours - images * 2 * 3 * 1540**2 <= most * 110 // 100
