"""Our verdicts on generated shapes are those of vLLM's own layers, word for word.

The table is made by `make oracle`, with vLLM and without a GPU; here it is judged again without
vLLM. A shape is read from its params.json or config.json, as at drafting.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from e2e.engine.oracle.__main__ import TABLE
from e2e.engine.oracle.shapes import NUMBER, SIZES, Shape, shapes

from escadre.api.approval import Architecture
from escadre.core.engines import legality
from escadre.core.engines.legality import check_size
from escadre.core.weights.architecture import Stored, read_facts
from escadre.core.weights.intake import Selection
from escadre.core.weights.numberformat import read_format
from escadre.core.weights.reading import Part

_WHY = "in which the weights are quantised"
# Each rule as it is told, without its numbers, and how often it is the only one that is broken.
_RULES = (
    "N attention heads do not divide by N",
    "N attention heads of the vision encoder do not divide by N",
    "N attention heads of the audio encoder do not divide by N",
    "N key-value heads do not divide by N, nor N by N",
    "the vocabulary, padded to N entries, does not divide by N",
    "feed-forward width N does not divide by N",
    "feed-forward width N of an expert does not divide by N",
    "width N of the vision projector does not divide by N",
    "feed-forward width N of the vision encoder does not divide by N",
    "feed-forward width N of the audio encoder does not divide by N",
    *(
        f"the {what} width N of one GPU is no whole number of {parts} of N, {_WHY}"
        for what, parts in (
            ("query", "blocks"),
            ("query", "groups"),
            ("key-value", "blocks"),
            ("query latent's", "blocks"),
            ("feed-forward", "blocks"),
            ("feed-forward", "groups"),
            ("expert", "blocks"),
            ("expert", "groups"),
        )
    ),
)
_ALONE = 20


@cache
def judged() -> tuple[tuple[Shape, Architecture, dict[int, str]], ...]:
    """Each shape, what we read of it, and what vLLM says of each size."""
    lines = gzip.decompress(TABLE.read_bytes()).splitlines()
    assert len(lines) == NUMBER
    return tuple(
        (shape, read(shape), {size: said for said, sizes in json.loads(line) for size in sizes})
        for shape, line in zip(shapes(NUMBER), lines, strict=True)
    )


def read(shape: Shape) -> Architecture:
    chosen = Selection((), (), shape.format, shape.format)
    numbers = read_format(Part(chosen.config, shape.document), None)
    dtype = numbers.dtypes[0] if numbers else "bfloat16"
    return read_facts(chosen, shape.document, Stored(1, dtype, numbers))


def _ours() -> Iterator[tuple[Shape, int, str, str]]:
    for shape, architecture, said in judged():
        for size in SIZES:
            refusal = check_size(architecture, size)
            ours = "" if refusal is None else refusal.engine
            theirs = said[size].replace("{size}", str(size))
            yield shape, size, ours, theirs


def _rule(message: str) -> str:
    """Rows and columns of the same width in square blocks are one."""
    return re.sub(r"(blocks of N) (rows|columns)", r"\1", re.sub(r"\d+", "N", message))


def _same(ours: str, theirs: str) -> bool:
    """Word for word, but where ours leaves out a layer's name or advice: there stands an …."""
    return re.fullmatch(re.escape(ours).replace("…", ".*"), theirs) is not None


def _is_stricter(shape: Shape, ours: str, theirs: str) -> bool:
    """Experts in blocks that vLLM makes smaller since 0.29, where Triton's kernels run them."""
    refined = shape.family == "experts in FP8 in blocks, config.json" and not theirs
    return refined and ours.startswith("ValueError: The output_size of gate's and up's weight = ")


def test_every_verdict_is_that_of_vllm_and_in_its_words() -> None:
    wrong = [
        f"{shape.family}, size {size}: {ours or 'legal'}, vLLM: {theirs or 'legal'}"
        for shape, size, ours, theirs in _ours()
        if not _same(ours, theirs) and not _is_stricter(shape, ours, theirs)
    ]
    assert not wrong, f"{len(wrong)} differ: {wrong[:5]}"


def test_nearly_nothing_is_refused_that_vllm_builds() -> None:
    stricter = [one for one in _ours() if one[2] and not one[3]]
    assert all(_is_stricter(shape, ours, theirs) for shape, _, ours, theirs in stricter)
    assert 0 < len(stricter) < 30


def test_the_table_has_enough_of_each_kind() -> None:
    """A rule that nothing breaks, or only together with another one, is not verified."""
    verdicts = Counter(bool(theirs) for _, _, _, theirs in _ours())
    assert min(verdicts[True], verdicts[False]) >= 0.1 * verdicts.total()
    alone: Counter[str] = Counter()
    for _, architecture, _ in judged():
        for size in SIZES:
            broken = legality._broken_rules(architecture, size)
            if len(rules := {_rule(refusal.message) for refusal in broken}) == 1:
                alone.update(rules)
    assert set(alone) == set(_RULES)
    assert {rule: number for rule, number in alone.items() if number < _ALONE} == {}
