"""What a GPU product moves and computes in a second: memory, tensor cores, links. Pure data.

core/engines/cards.py has the cards they belong to, core/engines/speed.py counts with them, and
docs/reference/gpus.md prints them. Numbers are what the maker states: dense (not the double that
sparsity would give), bytes and floating-point operations per second, links in one direction.
"""

from dataclasses import dataclass
from functools import partial
from typing import Final

__all__ = ["GIGA", "NOTHING", "RATES", "SOURCES", "TERA", "Figure", "Rates"]

GIGA: Final = 10**9
TERA: Final = 10**12

SOURCES: Final = {
    "a": "ai-dynamo/aiconfigurator:aic-core/src/aiconfigurator_core/systems/*.yaml, which "
    "the package aiconfigurator-core 0.12.0 carries",
    "d": "NVIDIA's data sheet of the product, half of what it states with sparsity; not held "
    "against a second source",
    "h": "the card with 80 GB, which has the same chip",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and the key of ``SOURCES`` that says where it is from."""

    value: int
    source: str


NOTHING: Final = Figure(0, "d")  # the product has no such thing


@dataclass(frozen=True, slots=True)
class Rates:
    """What one GPU does in a second.

    Args:
        memory: bytes read from its memory.
        bits16: dense operations on 16-bit numbers (bfloat16; float16 where there is none).
        bits8: the same on 8-bit floats; 0 where the weights are widened to 16 bits first.
        bits4: the same on 4-bit floats.
        nvlink: bytes in one direction; 0 where cards have no links, or at most a bridge that joins
            two of them, since nothing says which two a pod is given.
        nvlink_domain: GPUs that NVLink joins; 0 when it is PCIe only.
        pcie: generation, 16 lanes.
    """

    memory: Figure
    bits16: Figure
    bits8: Figure
    bits4: Figure
    nvlink: Figure
    nvlink_domain: Figure
    pcie: Figure

    @property
    def pcie_bytes(self) -> int:
        """Bytes per second in one direction over 16 lanes: 16 GB/s for generation 3, then twice."""
        return 2 * GIGA << self.pcie.value

    def arithmetic(self, bits: int) -> int:
        """Operations per second on weights of so many bits, in the type the GPU computes them in.

        Marlin widens to 16 bits what the tensor cores do not take
        (vllm-project/vllm:vllm/model_executor/layers/quantization).
        """
        native = {8: self.bits8.value, 4: self.bits4.value}.get(bits, 0)
        return native or self.bits16.value


_a = partial(Figure, source="a")
_d = partial(Figure, source="d")
_h = partial(Figure, source="h")

_LINKED8: Final = _a(8)
_ALONE: Final = (NOTHING, NOTHING)
_AMPERE: Final = (_a(312 * TERA), NOTHING, NOTHING)
_HOPPER: Final = (_a(989 * TERA), _a(1978 * TERA), NOTHING)
_GRACE: Final = (_a(900 * GIGA), _a(72), _a(5))

RATES: Final = {
    "Tesla-T4": Rates(_d(320 * GIGA), _d(65 * TERA), NOTHING, NOTHING, *_ALONE, _d(3)),
    "NVIDIA-A10": Rates(_d(600 * GIGA), _d(125 * TERA), NOTHING, NOTHING, *_ALONE, _d(4)),
    "NVIDIA-A30": Rates(_a(933 * GIGA), _a(165 * TERA), NOTHING, NOTHING, *_ALONE, _a(4)),
    "NVIDIA-L4": Rates(_a(300 * GIGA), _a(121 * TERA), _a(242 * TERA), NOTHING, *_ALONE, _a(4)),
    "NVIDIA-L40S": Rates(_a(864 * GIGA), _a(362 * TERA), _a(733 * TERA), NOTHING, *_ALONE, _a(4)),
    "NVIDIA-A100-SXM4-80GB": Rates(_a(2039 * GIGA), *_AMPERE, _a(300 * GIGA), _LINKED8, _a(4)),
    "NVIDIA-A100-80GB-PCIe": Rates(_a(1935 * GIGA), *_AMPERE, *_ALONE, _a(4)),
    "NVIDIA-A100-SXM4-40GB": Rates(_d(1555 * GIGA), *_AMPERE, _h(300 * GIGA), _h(8), _h(4)),
    "NVIDIA-A100-PCIE-40GB": Rates(_d(1555 * GIGA), *_AMPERE, *_ALONE, _h(4)),
    "NVIDIA-H100-80GB-HBM3": Rates(_a(3350 * GIGA), *_HOPPER, _a(450 * GIGA), _LINKED8, _a(5)),
    "NVIDIA-H100-PCIe": Rates(
        _a(2000 * GIGA), _a(756 * TERA), _a(1513 * TERA), NOTHING, *_ALONE, _a(5)
    ),
    "NVIDIA-H100-NVL": Rates(
        _d(3900 * GIGA), _d(835 * TERA), _d(1670 * TERA), NOTHING, *_ALONE, _d(5)
    ),
    "NVIDIA-H200": Rates(_a(4800 * GIGA), *_HOPPER, _a(450 * GIGA), _LINKED8, _a(5)),
    "NVIDIA-B200": Rates(
        _a(7700 * GIGA),
        _a(2250 * TERA),
        _a(4500 * TERA),
        _a(9000 * TERA),
        _a(900 * GIGA),
        _LINKED8,
        _a(6),
    ),
    "NVIDIA-B300": Rates(
        _a(7750 * GIGA),
        _a(2250 * TERA),
        _a(4500 * TERA),
        _a(14000 * TERA),
        _a(900 * GIGA),
        _LINKED8,
        _a(6),
    ),
    "NVIDIA-GB200": Rates(
        _a(8000 * GIGA), _a(2500 * TERA), _a(5000 * TERA), _a(10000 * TERA), *_GRACE
    ),
    "NVIDIA-GB300": Rates(
        _a(8000 * GIGA), _a(2500 * TERA), _a(5000 * TERA), _a(15000 * TERA), *_GRACE
    ),
    "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition": Rates(
        _a(1792 * GIGA), _a(467 * TERA), _a(935 * TERA), _a(1871 * TERA), *_ALONE, _a(5)
    ),
}
