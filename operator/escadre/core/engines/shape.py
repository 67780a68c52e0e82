"""How one replica is spread over GPUs: the only word for it, from the search to the status.

vLLM's own numbers stand on the wire (`--tensor-parallel-size`, `--pipeline-parallel-size`); in
between they are one value, so that no place forgets one of them. Pure data.
"""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Shape", "shape_of"]


class Spread(Protocol):
    """A layout as the API tells it, planned or refused."""

    @property
    def tensor_parallel_size(self) -> int:
        """GPUs that share each layer."""

    @property
    def pipeline_parallel_size(self) -> int:
        """Stages, each with its part of the layers."""


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """``tensor`` GPUs share each layer, ``pipeline`` stages share the layers, on ``nodes`` nodes.

    Each node gives the same number of GPUs; today all are on one.
    """

    tensor: int = 1
    pipeline: int = 1
    nodes: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of a replica."""
        return self.tensor * self.pipeline

    @property
    def gpus_per_node(self) -> int:
        """GPUs that one node gives."""
        return self.gpus // self.nodes

    @property
    def words(self) -> str:
        """As people write it: ``tp2``, or ``tp2 pp2`` with several stages."""
        return f"tp{self.tensor}" + (f" pp{self.pipeline}" if self.pipeline > 1 else "")


def shape_of(layout: Spread) -> Shape:
    """The shape of a layout in a status, a record or a refusal."""
    return Shape(layout.tensor_parallel_size, layout.pipeline_parallel_size)
