"""The part of docs/reference/gpus.md that says how fast the products are. Pure."""

from collections.abc import Iterator

from escadre.core.engines.cards import CARDS, Card
from escadre.core.engines.rates import GIGA, SOURCES, TERA, Figure

__all__ = ["speed_lines"]

_WORDS = """\

## Speed

What the [estimate of speed](../use/how-it-decides.md#speed) counts with, also the operator's where
`spec.objective` is `Latency`: GB/s of the memory, dense TFLOP/s in numbers of 16, 8 and 4 bits,
GB/s of NVLink in one direction and how many GPUs it joins, generation of PCIe with 16 lanes. The
letter is the source. – stands where there is none: of numbers, the engine widens such weights to 16
bits; of NVLink, the GPUs have PCIe only. A bridge between two cards is not counted, for nothing
says which two a pod is given. A product that is not in the list counts as the one most like it, of
the same compute capability and nearest in memory.

| product | memory | 16 bits | 8 bits | 4 bits | NVLink | joins | PCIe |
|---|---|---|---|---|---|---|---|\
"""


def speed_lines() -> Iterator[str]:
    """Line by line."""
    yield _WORDS
    yield from (_row(card) for card in CARDS)
    yield ""
    yield from (f"- {key}: {source}" for key, source in SOURCES.items())


def _row(card: Card) -> str:
    rates = card.rates
    cells = (
        card.product,
        _cell(rates.memory, GIGA),
        _cell(rates.bits16, TERA),
        _cell(rates.bits8, TERA),
        _cell(rates.bits4, TERA),
        _cell(rates.nvlink, GIGA),
        _cell(rates.nvlink_domain, 1),
        _cell(rates.pcie, 1),
    )
    return f"| {' | '.join(cells)} |"


def _cell(figure: Figure, unit: int) -> str:
    return f"{figure.value // unit:,} {figure.source}" if figure.value else "–"
