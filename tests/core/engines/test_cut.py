"""Pipeline stages are cut, and refused, as by vLLM's own layers (`make oracle`, without a GPU).

What is refused here and not there is bounded: audio, since not every model that hears can be split
and the facts do not tell which, and stages without layers, of which vLLM only sees with experts
that they cannot be.
"""

import json
from collections import Counter
from functools import cache
from typing import Any

from e2e.engine.oracle.__main__ import CUT
from e2e.engine.oracle.staged import Staged, staged
from tests.core.engines.test_oracle import read

from escadre.core.engines.legality import check_size
from escadre.core.engines.limits import stages_of
from escadre.core.engines.stages import check_stages


@cache
def rows() -> tuple[tuple[Staged, int, int, str, list[int]], ...]:
    """Each model with a tensor parallel size, stages, what vLLM says, and the stages' layers."""
    told: list[dict[str, Any]] = [json.loads(line) for line in CUT.read_text().splitlines()]
    models = list(staged())
    assert [one["model"] for one in told] == [model.shape.family for model in models]
    return tuple(
        (model, *said) for model, one in zip(models, told, strict=True) for said in one["said"]
    )


def test_stages_have_the_layers_that_vllm_gives_them() -> None:
    for model, _, stages, _, layers in rows():
        if stages <= model.layers:
            assert [stage.layers for stage in stages_of(model.layers, stages)] == layers


def test_what_vllm_refuses_is_refused() -> None:
    for model, size, stages, said, _ in rows():
        facts = read(model.shape)
        assert check_size(facts, size) is None
        assert not said or check_stages(facts, stages) is not None, (model.shape.family, said)


def test_what_is_refused_beyond_that_is_audio_or_a_stage_without_layers() -> None:
    kinds: Counter[str] = Counter()
    for model, _, stages, said, layers in rows():
        refusal = check_stages(read(model.shape), stages)
        if refusal is None:
            assert said == ""
            kinds["legal"] += 1
        elif 0 in layers:
            kinds["no layers, refused by vLLM" if said else "no layers"] += 1
        else:
            assert model.shape.family == "audio"
            kinds["audio"] += 1
    assert min(kinds.values()) >= 20, kinds
    assert set(kinds) == {"legal", "no layers", "no layers, refused by vLLM", "audio"}
