"""core/scaling/target.py: the number of requests per replica that scaling aims at."""

import pytest
from tests.core.layout import LAYOUT

from escadre.core.scaling.target import target_queue_depth


@pytest.mark.parametrize(
    ("wished", "at_once", "target"),
    [
        pytest.param(3, 8, 3, id="as wished"),
        pytest.param(100_000, 8, 100_000, id="also more than fit"),
        pytest.param(None, 32, 24, id="three quarters"),
        pytest.param(None, 33, 25, id="rounded up"),
        pytest.param(None, 1, 1, id="never none"),
    ],
)
def test_the_target(wished: int | None, at_once: int, target: int) -> None:
    layout = LAYOUT.model_copy(update={"max_num_seqs": at_once})
    assert target_queue_depth(wished, layout) == target


@pytest.mark.parametrize("wished", [None, 3])
def test_without_a_layout_only_the_wish_tells(wished: int | None) -> None:
    assert target_queue_depth(wished, None) == wished
