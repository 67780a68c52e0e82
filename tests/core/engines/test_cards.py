"""Cards by the names that people and GPU feature discovery give them."""

import pytest
from tests.core.shapes import EVERY_GPU

from escadre.core.engines.cards import CARDS, Card, cards_named
from escadre.core.layouts.candidate import GPUProduct


@pytest.mark.parametrize(
    ("name", "products"),
    [
        ("NVIDIA-H100-80GB-HBM3", ["NVIDIA-H100-80GB-HBM3"]),
        ("nvidia h100 pcie", ["NVIDIA-H100-PCIe"]),
        ("H100-80GB", ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe"]),
        ("H100", ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"]),
        ("A100-80GB", ["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"]),
        ("A100-SXM4", ["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-SXM4-40GB"]),
        ("T4", ["Tesla-T4"]),
        ("L4", ["NVIDIA-L4"]),
        ("RTX-PRO-6000", ["NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition"]),
        ("H100-40GB", []),
        ("NVIDIA-H100-80GB-HBM3-MIG-1g.10gb", []),
        ("NVIDIA", []),
        ("", []),
    ],
)
def test_a_name_means_the_cards_that_have_all_its_words(name: str, products: list[str]) -> None:
    assert [card.product for card in cards_named(name)] == products


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.product)
def test_a_product_as_its_label_is_that_card_alone(card: Card) -> None:
    assert cards_named(card.product) == (card,)


@pytest.mark.parametrize("gpu", EVERY_GPU, ids=lambda gpu: gpu.name)
def test_they_are_the_cards_that_the_planner_is_tested_with(gpu: GPUProduct) -> None:
    (card,) = cards_named(gpu.name)
    assert card.mebibytes << 20 == gpu.memory_bytes
    assert card.capability == gpu.compute_capability
