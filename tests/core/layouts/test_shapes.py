"""Which shapes are tried on a product, and in which order."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.core.shapes import H100, L40S, LARGE_2, MISTRAL_7B

from escadre.api.approval import Architecture
from escadre.core.catalog.shelf import CATALOG
from escadre.core.engines.legality import candidate_sizes, check_size
from escadre.core.engines.shape import Shape
from escadre.core.facts.model import Wish
from escadre.core.layouts.search import GPUProduct
from escadre.core.layouts.shapes import beyond, within

WISH = Wish(8192)
SIZES = candidate_sizes(MISTRAL_7B, 64)


def words(shapes: Iterable[Shape]) -> str:
    return ", ".join(f"{one.gpus}: {one.words}" for one in shapes)


@pytest.mark.parametrize(
    ("model", "product", "wish", "expected"),
    [
        pytest.param(
            MISTRAL_7B,
            replace(H100, node_gpus=4),
            WISH,
            "1: tp1, 2: tp2, 4: tp4, 2: tp1 pp2, 4: tp2 pp2, 4: tp1 pp4",
            id="NVLink: stages only after every tensor parallel size",
        ),
        pytest.param(
            MISTRAL_7B,
            L40S,
            WISH,
            "1: tp1, 2: tp2, 2: tp1 pp2, 4: tp2 pp2, 4: tp1 pp4, 4: tp4",
            id="PCIe: pairs in stages before more tensor parallelism",
        ),
        pytest.param(
            MISTRAL_7B,
            replace(L40S, node_gpus=6),
            WISH,
            "1: tp1, 2: tp2, 2: tp1 pp2, 4: tp2 pp2, 4: tp1 pp4, 4: tp4, 6: tp2 pp3, 6: tp1 pp6",
            id="a power of two or the whole node",
        ),
        pytest.param(
            LARGE_2,
            replace(H100, node_gpus=3),
            WISH,
            "1: tp1, 2: tp2, 2: tp1 pp2, 3: tp1 pp3",
            id="the vocabulary does not split in three",
        ),
        pytest.param(
            MISTRAL_7B, replace(H100, apart=True), WISH, "1: tp1", id="GPUs that stay apart"
        ),
        pytest.param(
            MISTRAL_7B,
            L40S,
            replace(WISH, tensor_parallel_size=2),
            "2: tp2, 4: tp2 pp2",
            id="one size bound",
        ),
        pytest.param(
            MISTRAL_7B,
            L40S,
            replace(WISH, tensor_parallel_size=3, pipeline_parallel_size=1),
            "3: tp3",
            id="a size that is not legal is tried when it is asked for",
        ),
        pytest.param(
            MISTRAL_7B,
            replace(L40S, node_gpus=8),
            replace(WISH, pipeline_parallel_size=3),
            "3: tp1 pp3, 6: tp2 pp3",
            id="stages bound",
        ),
    ],
)
def test_within_a_node(model: Architecture, product: GPUProduct, wish: Wish, expected: str) -> None:
    assert words(within(candidate_sizes(model, 64), product, wish)) == expected


@pytest.mark.parametrize(
    ("product", "wish", "expected"),
    [
        pytest.param(H100, WISH, "16: tp16, 32: tp32, 64: tp64", id="NVLink"),
        pytest.param(
            L40S,
            WISH,
            "8: tp2 pp4, 8: tp1 pp8, 8: tp8, 8: tp4 pp2",
            id="PCIe",
        ),
        pytest.param(
            H100,
            replace(WISH, tensor_parallel_size=8, pipeline_parallel_size=2),
            "16: tp8 pp2",
            id="what is asked for",
        ),
        pytest.param(H100, replace(WISH, tensor_parallel_size=4), "", id="room on the node"),
    ],
)
def test_beyond_a_node(product: GPUProduct, wish: Wish, expected: str) -> None:
    assert words(beyond(SIZES, product, wish)).startswith(expected)


@pytest.mark.parametrize("product", [H100, L40S], ids=["NVLink", "PCIe"])
def test_no_shape_is_tried_twice(product: GPUProduct) -> None:
    tried = [*within(SIZES, product, WISH), *beyond(SIZES, product, WISH)]
    assert len(tried) == len(set(tried))


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_no_published_mixture_needs_expert_parallelism_to_be_legal(size: int) -> None:
    published = [one.architecture for one in CATALOG]
    mixtures = [one for one in published if one is not None and one.experts is not None]
    assert len(mixtures) > 5
    assert [one for one in mixtures if check_size(one, size) is not None] == []
