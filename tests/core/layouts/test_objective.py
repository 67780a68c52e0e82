"""spec.objective: what the best layout is, and which GPUs NVLink joins."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.shapes import (
    A100,
    EVERY_GPU,
    EVERY_MODEL,
    H100,
    H200,
    L40S,
    MEDIUM_3,
    MISTRAL_7B,
    SMALL_3,
    gpu,
)

from escadre.api.approval import Architecture
from escadre.core.engines.shape import shape_of
from escadre.core.facts.model import Wish
from escadre.core.layouts.search import GPUProduct, plan_layout
from escadre.core.layouts.shapes import inside_links, linked_gpus

FAST = Wish(32768, 8, objective="Latency")
MINISTRAL_3B = MISTRAL_7B.model_copy(
    update={
        "dtype": "float8",
        "weight_bytes": 4_670_000_000,
        "hidden_size": 3072,
        "intermediate_size": 9216,
        "layers": 26,
        "vocabulary_size": 131072,
    }
)
PCIE = gpu("NVIDIA-H100-PCIe", 81559, (9, 0))


def summaries(model: Architecture, wish: Wish, *products: GPUProduct) -> list[str]:
    return [one.summary for one in plan_layout(model, wish, products, 92).alternatives]


@pytest.mark.parametrize(
    ("model", "products", "expected"),
    [
        pytest.param(
            SMALL_3,
            (H100,),
            ["8×H100 tp8", "4×H100 tp4", "2×H100 tp2", "1×H100 tp1"],
            id="the fastest first, fewer GPUs where there is no room for them",
        ),
        pytest.param(
            MINISTRAL_3B,
            (H100,),
            ["4×H100 tp4", "8×H100 tp8", "2×H100 tp2", "1×H100 tp1"],
            id="not twice the GPUs for less than a tenth",
        ),
        pytest.param(
            SMALL_3,
            (replace(H100, node_gpus=1), replace(H200, node_gpus=1)),
            ["1×H200 tp1", "1×H100 tp1"],
            id="the faster memory of two like cards",
        ),
        pytest.param(SMALL_3, (PCIE, L40S), ["1×H100 tp1", "2×L40S tp2"], id="one GPU before PCIe"),
        pytest.param(
            MEDIUM_3,
            (A100, replace(H100, node_gpus=4)),
            ["4×H100 tp4", "2×H100 tp2", "8×A100-80GB tp8", "4×A100-80GB tp4", "2×A100-80GB tp2"],
            id="native FP8 before more GPUs",
        ),
        pytest.param(
            SMALL_3,
            (replace(A100, node_gpus=2), replace(H100, node_gpus=2)),
            ["2×H100 tp2", "2×A100-80GB tp2", "1×H100 tp1", "1×A100-80GB tp1"],
            id="the faster card of the same number",
        ),
    ],
)
def test_latency(
    model: Architecture, products: tuple[GPUProduct, ...], expected: list[str]
) -> None:
    wish = replace(FAST, concurrency=1)
    assert summaries(model, wish, *products) == expected


def test_throughput_is_the_default_and_takes_the_fewest_gpus() -> None:
    assert summaries(SMALL_3, replace(FAST, objective="Throughput"), H100, H200) == [
        "1×H100 tp1",
        "1×H200 tp1",
    ]
    assert Wish(32768) == Wish(32768, objective="Throughput")


def test_what_latency_refuses_is_what_does_not_fit() -> None:
    decision = plan_layout(MEDIUM_3, replace(FAST, context_length=65536), (H100,), 92)
    assert [one.tensor_parallel_size for one in decision.rejected] == [1, 2]


def test_an_override_holds_for_latency_too() -> None:
    assert summaries(MISTRAL_7B, replace(FAST, tensor_parallel_size=2), H100) == ["2×H100 tp2"]


@pytest.mark.parametrize(
    ("product", "linked"),
    [
        ("NVIDIA-H100-80GB-HBM3", 8),
        ("NVIDIA-A100-SXM4-40GB", 8),
        ("NVIDIA-H200", 8),
        ("NVIDIA-B200", 8),
        ("Tesla-V100-SXM2-32GB", 8),
        ("NVIDIA-H100-NVL", 1),
        ("NVIDIA-H200-NVL", 1),
        ("NVIDIA-H800", 8),
        ("NVIDIA-H800-PCIe", 1),
        ("NVIDIA-A100-PCIE-40GB", 1),
        ("NVIDIA-H100-PCIe", 1),
        ("NVIDIA-L40S", 1),
        ("NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition", 1),
        ("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", 1),
    ],
)
def test_gpus_that_nvlink_joins(product: str, linked: int) -> None:
    assert linked_gpus(gpu(product, 81559, (9, 0))) == linked


def test_gpus_that_must_stay_apart_are_not_joined() -> None:
    assert linked_gpus(replace(H100, apart=True)) == 1


@given(st.sampled_from(EVERY_MODEL), st.integers(1, 131_072), st.none() | st.integers(1, 256))
def test_the_best_of_latency_is_inside_links_where_anything_is(
    model: Architecture, context: int, concurrency: int | None
) -> None:
    wish = Wish(context, concurrency, objective="Latency")
    found = plan_layout(model, wish, EVERY_GPU, 92).alternatives
    named = {one.name: one for one in EVERY_GPU}
    linked = [inside_links(shape_of(one), named[one.product]) for one in found]
    assert linked == sorted(linked, reverse=True)
    usual = plan_layout(model, replace(wish, objective="Throughput"), EVERY_GPU, 92)
    assert {one.product for one in found} == {one.product for one in usual.alternatives}
