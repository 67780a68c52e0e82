"""The engine's flags that decide how it fills a GPU, and the pipeline stages they make of a model.

core/engines/gpu_memory.py counts with them, core/layouts makes them. Pure.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from escadre.core.memoryterms import MemoryTerms
from escadre.core.profile import DEFAULT_PROFILE

__all__ = ["WHOLE", "EngineLimits", "Stage", "stages_of"]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """The flags that decide weights and overhead of a GPU.

    ``terms`` are those of the engine's version. ``switched``: whether NVLink switches join the
    GPUs; where that is not known it is taken to be so, which counts more.
    """

    tensor_parallel_size: int
    max_num_seqs: int
    max_num_batched_tokens: int
    pipeline_parallel_size: int = 1
    terms: MemoryTerms = DEFAULT_PROFILE.memory
    switched: bool = True


@dataclass(frozen=True, slots=True)
class Stage:
    """A pipeline stage: its layers (0: all of the model), and whether it is first or last."""

    layers: int
    first: bool
    last: bool

    @property
    def whole(self) -> bool:
        """Whether it is the only one."""
        return self.first and self.last


WHOLE: Final = Stage(0, first=True, last=True)


@lru_cache(maxsize=1024)
def stages_of(layers: int, count: int) -> tuple[Stage, ...]:
    """The stages as vLLM cuts them: what does not divide goes to those before the last, backwards.

    vllm-project/vllm:vllm/distributed/utils.py get_pp_indices. More stages than layers leave some
    without any, which vLLM refuses.
    """
    if count == 1:
        return (Stage(layers, first=True, last=True),)
    each, left = divmod(layers, count)
    sizes = [each] * count
    for place in range(2, left + 2):
        sizes[-place] += 1
    return tuple(
        Stage(size, first=index == 0, last=index == count - 1) for index, size in enumerate(sizes)
    )
