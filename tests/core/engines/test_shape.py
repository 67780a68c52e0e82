"""The shape of a replica: its GPUs and its words."""

import pytest
from tests.core.layout import LAYOUT

from escadre import reasons
from escadre.api.deployment import RejectedLayout
from escadre.core.engines.shape import Shape, shape_of


@pytest.mark.parametrize(
    ("shape", "gpus", "on_a_node", "words"),
    [
        pytest.param(Shape(), 1, 1, "tp1", id="one GPU"),
        pytest.param(Shape(4), 4, 4, "tp4", id="one stage"),
        pytest.param(Shape(2, 3), 6, 6, "tp2 pp3", id="three stages of two"),
        pytest.param(Shape(8, 2, nodes=2), 16, 8, "tp8 pp2", id="a stage on each node"),
    ],
)
def test_shape(shape: Shape, gpus: int, on_a_node: int, words: str) -> None:
    assert (shape.gpus, shape.gpus_per_node, shape.words) == (gpus, on_a_node, words)


def test_layouts_and_refusals_have_one() -> None:
    assert shape_of(LAYOUT) == Shape(2)
    staged = LAYOUT.model_copy(update={"pipeline_parallel_size": 2, "gpus": 4})
    assert shape_of(staged) == Shape(2, 2)
    told = {"product": "NVIDIA-L40S", "tensorParallelSize": 2, "message": "why"}
    told["reason"] = reasons.WEIGHTS_TOO_LARGE.name
    assert shape_of(RejectedLayout.model_validate(told)) == Shape(2)  # of before there were stages
