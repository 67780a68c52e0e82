"""How the weights of generated shapes are quantised, as the tools that do it write it down.

Used by shapes.py. Pure data.
"""

from typing import Any, Final

__all__ = ["COMPRESSED_BLOCKS", "FORMATS", "OF_EXPERTS"]


def _compressed(
    form: str, weights: dict[str, Any], activations: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"symmetric": True, "dynamic": False} | weights,
                "input_activations": activations,
                "output_activations": None,
            }
        },
        "ignore": ["lm_head"],
    }


_FP8: Final = {"num_bits": 8, "type": "float"}
_FP4_GROUPS: Final = {"num_bits": 4, "type": "float", "strategy": "tensor_group", "group_size": 16}
COMPRESSED_BLOCKS: Final = _compressed(
    "float-quantized",
    _FP8 | {"strategy": "block", "block_structure": [128, 128]},
    _FP8 | {"symmetric": True, "strategy": "group", "group_size": 128, "dynamic": True},
)
FORMATS: Final[dict[str, dict[str, Any]]] = {
    "FP8": {"quant_method": "fp8", "activation_scheme": "static"},
    "FP8 in blocks": {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "weight_block_size": [128, 128],
    },
    "compressed-tensors blocks": COMPRESSED_BLOCKS,
    "int4 in groups": _compressed(
        "pack-quantized", {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128}
    ),
    "AWQ": {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "zero_point": True,
        "version": "gemm",
    },
    "GPTQ": {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": 128,
        "desc_act": False,
        "sym": True,
    },
    "NVFP4, compressed-tensors": _compressed(
        "nvfp4-pack-quantized",
        _FP4_GROUPS,
        _FP4_GROUPS | {"symmetric": True, "dynamic": "local"},
    ),
    "NVFP4, ModelOpt": {
        "quant_method": "modelopt",
        "quant_algo": "NVFP4",
        "kv_cache_quant_algo": None,
        "group_size": 16,
        "exclude_modules": ["lm_head"],
        "ignore": ["lm_head"],
    },
}
OF_EXPERTS: Final = frozenset(
    {"FP8 in blocks", "compressed-tensors blocks", "int4 in groups", "AWQ", "GPTQ"}
)
