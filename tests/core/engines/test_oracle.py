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
    *(
        f"the {what} width N of one GPU is no whole number of {parts}, {_WHY}"
        for what in ("query", "feed-forward")
        for parts in ("blocks of N columns", "groups of N")
    ),
)
_ALONE = 20
# Of weights in groups: the kernels of a CPU take fewer shapes than those of GPUs.
_OTHER_KERNELS = "ValueError: Failed to find a kernel that can implement the WNA16 linear"


@cache
def judged() -> tuple[tuple[Shape, Architecture, dict[int, str]], ...]:
    """Each shape, what we read of it, and what vLLM says of each size."""
    lines = gzip.decompress(TABLE.read_bytes()).splitlines()
    assert len(lines) == NUMBER
    return tuple(
        (shape, _read(shape), {size: said for said, sizes in json.loads(line) for size in sizes})
        for shape, line in zip(shapes(NUMBER), lines, strict=True)
    )


def _read(shape: Shape) -> Architecture:
    chosen = Selection((), (), shape.format, shape.format)
    numbers = read_format(Part(chosen.config, shape.document), None)
    dtype = numbers.dtypes[0] if numbers else "bfloat16"
    return read_facts(chosen, shape.document, Stored(1, dtype, numbers))


def _ours() -> Iterator[tuple[Shape, int, str, str]]:
    for shape, architecture, said in judged():
        for size in SIZES:
            if said[size].startswith(_OTHER_KERNELS):
                continue
            refusal = check_size(architecture, size)
            ours = "" if refusal is None else refusal.engine
            theirs = said[size].replace("{size}", str(size))
            yield shape, size, ours, theirs


def _same(ours: str, theirs: str) -> bool:
    """Word for word, but where ours leaves out a layer's name or advice: there stands an …."""
    return re.fullmatch(re.escape(ours).replace("…", ".*"), theirs) is not None


def test_every_verdict_is_that_of_vllm_and_in_its_words() -> None:
    wrong = [
        f"{shape.family}, size {size}: {ours or 'legal'}, vLLM: {theirs or 'legal'}"
        for shape, size, ours, theirs in _ours()
        if not _same(ours, theirs)
    ]
    assert not wrong, f"{len(wrong)} differ: {wrong[:5]}"


def test_the_table_has_enough_of_each_kind() -> None:
    """A rule that nothing breaks, or only together with another one, is not verified."""
    verdicts = Counter(bool(theirs) for _, _, _, theirs in _ours())
    assert min(verdicts[True], verdicts[False]) >= 0.1 * verdicts.total()
    alone: Counter[str] = Counter()
    for _, architecture, _ in judged():
        for size in SIZES:
            broken = list(legality._broken_rules(architecture, size))
            if len(broken) == 1:
                alone[re.sub(r"\d+", "N", broken[0].message)] += 1
    assert set(alone) == set(_RULES)
    assert {rule: number for rule, number in alone.items() if number < _ALONE} == {}
