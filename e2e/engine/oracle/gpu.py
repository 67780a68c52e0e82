"""Stands in for a GPU where vLLM picks the kernels of quantised weights: none runs, none is there.

vLLM chooses a kernel while it builds a layer, by checks of shapes and of the GPU's compute
capability in plain Python; its CPU build has the kernels of GPUs in its lists, and asks the
platform which list is meant. Used by seat.py in the Python of vLLM's environment. The GPU is an
L40S: what only Hopper's Machete or Blackwell's kernels take is not judged.
"""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from vllm import _custom_ops as compiled
from vllm.model_executor.layers.quantization import (
    QUANTIZATION_METHODS,
    get_quantization_config,
)
from vllm.platforms import current_platform
from vllm.platforms.interface import DeviceCapability, PlatformEnum

__all__ = ["choose_kernels_as_on_a_gpu"]

_ROOMS = (
    "vllm.model_executor.kernels.",
    "vllm.model_executor.layers.fused_moe.",
    "vllm.model_executor.layers.quantization.",
)
_CAPABILITY = DeviceCapability(8, 9)
# What compiled code would answer: the capability from which on there are such kernels.
_COMPILED = {
    "cutlass_scaled_mm_supports_fp8": 89,
    "cutlass_scaled_mm_supports_block_fp8": 90,
    "cutlass_group_gemm_supported": 90,
    "cutlass_scaled_mm_supports_fp4": 100,
}


class GPU:
    """The platform as the choice of a kernel asks it; all else says the CPU's."""

    _enum = PlatformEnum.CUDA

    def __getattr__(self, name: str) -> Any:
        return getattr(current_platform, name)

    def is_cpu(self) -> bool:
        return False

    def is_cuda(self) -> bool:
        return True

    def is_cuda_alike(self) -> bool:
        return True

    def supports_fp8(self) -> bool:
        return True

    def get_device_capability(self, _device: int = 0) -> DeviceCapability:
        return _CAPABILITY

    def has_device_capability(self, least: Any, _device: int = 0) -> bool:
        return bool(_CAPABILITY.to_int() >= _number(least))

    def is_device_capability(self, asked: Any, _device: int = 0) -> bool:
        return bool(_CAPABILITY.to_int() == _number(asked))

    def is_device_capability_family(self, asked: int, _device: int = 0) -> bool:
        return bool(_CAPABILITY.to_int() // 10 == asked // 10)


def choose_kernels_as_on_a_gpu() -> None:
    """From now on; all of vLLM's quantisation is imported before, while the CPU is there."""
    for method in QUANTIZATION_METHODS:
        get_quantization_config(method)
    gpu = GPU()
    for module in _modules():
        for name, least in _COMPILED.items():
            if getattr(module, name, None) is getattr(compiled, name):
                setattr(module, name, _from(least))
        if module.__name__.startswith(_ROOMS) and hasattr(module, "current_platform"):
            setattr(module, "current_platform", gpu)  # noqa: B010 - a module of somebody else


def _modules() -> Iterator[ModuleType]:
    """vLLM's, that of the compiled code last: it tells which functions are meant."""
    modules = [one for name, one in sys.modules.items() if name.startswith("vllm.")]
    return iter(sorted(modules, key=lambda one: one is compiled))


def _from(least: int) -> Any:
    return lambda cuda_device_capability: cuda_device_capability >= least


def _number(capability: Any) -> int:
    if isinstance(capability, int):
        return capability
    major, minor = capability
    return int(10 * major + minor)
