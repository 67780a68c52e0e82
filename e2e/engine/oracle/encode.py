"""Peak of encoding images in vLLM's own layers: run by the Python of vLLM's environment, alone.

Reads one JSON document a line, {"model", "form", "files": {name: content}, "sizes", "images",
"side"}, the pixels of an image's side; answers each with {"model", "form", "peaks": [[tensor
parallel size, images, most bytes that lived at once], …]}. The encoder runs on the meta device
(seat.py): its tensors have sizes and lives, and no memory. Layers that have a kernel of their own
on a GPU put out one tensor here, as there: norm, activation, attention, matrix product, and the sum
over the GPUs.
"""

import json
import logging
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from vllm.config import ParallelConfig, VllmConfig, set_current_vllm_config
from vllm.model_executor.layers import linear
from vllm.model_executor.layers.activation import SiluAndMul
from vllm.model_executor.layers.attention import MMEncoderAttention
from vllm.model_executor.layers.layernorm import RMSNorm
from vllm.model_executor.model_loader.utils import initialize_model
from vllm.utils.torch_utils import set_default_torch_dtype

from e2e.engine.oracle.seat import configured, play

_COLOURS = 3


def _like(_layer: Any, given: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return torch.empty_like(given)


def _half(_layer: Any, given: torch.Tensor) -> torch.Tensor:
    return given.new_empty(*given.shape[:-1], given.shape[-1] // 2)


def _product(_method: Any, layer: Any, given: torch.Tensor, bias: Any = None) -> torch.Tensor:
    return torch.nn.functional.linear(given, layer.weight, bias)


MMEncoderAttention.forward = RMSNorm.forward = _like
SiluAndMul.forward = _half
linear.UnquantizedLinearMethod.apply = _product
linear.tensor_model_parallel_all_reduce = torch.empty_like


class Lives(TorchDispatchMode):  # type: ignore[misc]  # torch is only in vLLM's environment
    """Counts the bytes of what operations put out, as long as anybody holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.most = self._now = 0
        self._held: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        operation: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        for one in tree_leaves(result):
            if isinstance(one, torch.Tensor) and one.is_meta:
                self._born(one.untyped_storage())
        return result

    def _born(self, storage: Any) -> None:
        where = storage._cdata  # noqa: SLF001 - the only name of a storage without memory
        if where in self._held:
            return
        self._held[where] = storage.nbytes()
        self._now += storage.nbytes()
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._gone, where)

    def _gone(self, where: int) -> None:
        self._now -= self._held.pop(where)


def peak(config: VllmConfig, size: int, images: int, side: int) -> int:
    play(size)
    config.parallel_config = ParallelConfig(tensor_parallel_size=size)
    config.compilation_config.static_forward_context.clear()
    dtype = config.model_config.dtype
    with set_default_torch_dtype(dtype), torch.device("meta"):
        model = initialize_model(config)
    encoder = model.vision_tower if hasattr(model, "vision_tower") else model.vision_encoder
    lives = Lives()
    with set_current_vllm_config(config), torch.device("meta"), torch.inference_mode(), lives:
        encoder([torch.empty(_COLOURS, side, side, dtype=dtype) for _ in range(images)])
    return lives.most


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    with configured(asked["files"]) as config:
        peaks = [
            [size, images, peak(config, size, images, asked["side"])]
            for size in asked["sizes"]
            for images in asked["images"]
        ]
    return {"model": asked["model"], "form": asked["form"], "peaks": peaks}


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
