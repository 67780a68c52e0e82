"""What GPUs a node has: the one question the agent asks, whoever answers it.

agent/gpus/nvml.py asks the driver, agent/gpus/simulated.py a file, for machines without GPUs.
"""

from dataclasses import dataclass
from typing import Protocol

from escadre.api.gpunode import GPU

__all__ = ["Inventory", "InventorySource"]


@dataclass(frozen=True, slots=True)
class Inventory:
    """The GPUs of a node, and the driver that reported them."""

    driver_version: str
    gpus: tuple[GPU, ...]


class InventorySource(Protocol):
    """Reads the GPUs; may block, so it is called in a thread, one call at a time."""

    def read(self) -> Inventory:
        """The GPUs now; raises Refusal (NVMLUnavailable) when they cannot be read."""
        ...
