"""GPU products by name: memory, compute capability, speed, for plans that see no node.

`escadre layout` takes them from here. The operator takes only their speed (``card_of``): memory
and capability are what its nodes report. ``mebibytes`` is the total as nvidia-smi prints and GPU
feature discovery labels it. Pure data, the source beside each card; what torch sees of it is
core/engines/gpu_memory.py's answer.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from escadre.core.engines.rates import RATES, Rates

__all__ = ["CARDS", "Card", "card_of", "cards_named"]


@dataclass(frozen=True, slots=True)
class Card:
    """A product as GPU feature discovery writes it.

    Args:
        product: value of the label nvidia.com/gpu.product.
        mebibytes: total memory.
        capability: compute capability.
        source: of the memory.
        also: words that people use for it and that are not in its name.
        derived_from: the product whose speed was taken for it, None when its own is known.
    """

    product: str
    mebibytes: int
    capability: tuple[int, int]
    source: str
    also: frozenset[str] = frozenset()
    derived_from: str | None = None

    @property
    def rates(self) -> Rates:
        """What it moves and computes in a second."""
        return RATES[self.derived_from or self.product]

    @property
    def words(self) -> frozenset[str]:
        """Every word that may name it, in upper case."""
        return frozenset(self.product.upper().split("-")) | self.also


# Boards with NVLink switches. What is called PCIe or NVL is a single card, bridged to one at most.
_BOARDS: Final = re.compile(r"SXM\d*|HBM\d\w*|H20|H200|H800|B[23]00|GB[23]00|GH200")
_SINGLE: Final = frozenset({"PCIE", "NVL"})
_TABLE: Final = "thundergolfer.com/blog/nvidia-gpu-memory-capacity"
_SYSTEMS: Final = "ai-dynamo/aiconfigurator:aic-core/src/aiconfigurator_core/systems"
_LABELS: Final = "label nvidia.com/gpu.memory in public node listings"
_SMI: Final = "nvidia-smi in public start-up logs"
_DATA_SHEET: Final = "data sheet: 24 GB; not seen in a log"

# Of several that one name means, the first is taken: the one that most nodes have.
CARDS: Final = (
    Card("Tesla-T4", 15360, (7, 5), _TABLE, frozenset({"16GB"})),
    Card("NVIDIA-A10", 23028, (8, 6), _TABLE, frozenset({"24GB"})),
    Card("NVIDIA-A30", 24576, (8, 0), _DATA_SHEET, frozenset({"24GB"})),
    Card("NVIDIA-L4", 23034, (8, 9), _TABLE, frozenset({"24GB"})),
    Card("NVIDIA-L40S", 46068, (8, 9), _TABLE, frozenset({"48GB"})),
    Card("NVIDIA-A100-SXM4-80GB", 81920, (8, 0), _TABLE, frozenset({"SXM"})),
    Card("NVIDIA-A100-80GB-PCIe", 81920, (8, 0), _TABLE),
    Card("NVIDIA-A100-SXM4-40GB", 40960, (8, 0), _TABLE, frozenset({"SXM"})),
    Card("NVIDIA-A100-PCIE-40GB", 40960, (8, 0), _TABLE),
    Card("NVIDIA-H100-80GB-HBM3", 81559, (9, 0), _TABLE, frozenset({"SXM", "SXM5"})),
    Card("NVIDIA-H100-PCIe", 81559, (9, 0), _TABLE, frozenset({"80GB"})),
    Card("NVIDIA-H100-NVL", 95830, (9, 0), _LABELS, frozenset({"94GB"})),
    Card("NVIDIA-H200", 143771, (9, 0), _TABLE, frozenset({"141GB", "SXM"})),
    Card("NVIDIA-B200", 183359, (10, 0), _SMI, frozenset({"SXM"})),
    Card("NVIDIA-B300", 275040, (10, 3), _SYSTEMS, frozenset({"SXM"})),
    Card("NVIDIA-GB200", 189471, (10, 0), _SYSTEMS),
    Card("NVIDIA-GB300", 284208, (10, 3), _SYSTEMS),
    Card(
        "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition",
        97887,
        (12, 0),
        _SYSTEMS,
        frozenset({"96GB", "PRO6000"}),
    ),
)


def cards_named(name: str) -> tuple[Card, ...]:
    """The cards that ``name`` means: the product itself, else those that have all its words.

    ``H100``, ``a100-80gb``, ``NVIDIA H100 PCIe``; empty when none is known.
    """
    wanted = name.strip().upper().replace(" ", "-").replace("_", "-")
    exact = tuple(card for card in CARDS if card.product.upper() == wanted)
    words = {word for word in wanted.split("-") if word} - {"NVIDIA"}
    if exact or not words:
        return exact
    return tuple(card for card in CARDS if words <= card.words)


def card_of(product: str, mebibytes: int, capability: tuple[int, int]) -> Card:
    """The card that a node reports; one that is not known is as fast as the most alike that is.

    Most alike: of the same compute capability, else of the same generation, else of any; of those
    the nearest in memory. Links are not taken over from a name: a derived card has those of the
    card that it is derived from, and ``derived_from`` says which, for people to judge.
    """
    known = next((card for card in CARDS if card.product == product), None)
    if known is not None:
        return known
    same = [card for card in CARDS if card.capability == capability]
    same = same or [card for card in CARDS if card.capability[0] == capability[0]]
    alike = min(same or CARDS, key=lambda card: (abs(card.mebibytes - mebibytes), card.product))
    return Card(product, mebibytes, capability, "reported", derived_from=alike.product)


@lru_cache(maxsize=256)
def is_switched(product: str) -> bool:
    """Whether NVLink switches join the GPUs of a node, by the product's name.

    Every such board's name is known; a product that is not known has its GPUs on PCIe.
    """
    words = set(product.upper().split("-"))
    return not words & _SINGLE and any(_BOARDS.fullmatch(word) for word in words)


@lru_cache(maxsize=256)
def may_be_switched(product: str) -> bool:
    """The same, but yes of a product that is not known."""
    return is_switched(product) or all(card.product != product for card in CARDS)
