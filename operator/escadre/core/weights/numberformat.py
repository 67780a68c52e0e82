"""In which numbers the weights are: from what the quantising tool wrote, never from their storage.

Packed weights are stored as U8 or I32 whatever they mean, and the engine builds a model unquantised
whose configuration does not speak of it, so storage alone says nothing. Where the metadata stands,
and in which order the engine looks, is as in vllm-project/vllm:vllm/transformers_utils (config.py,
configs/mistral.py, model_arch_config_convertor.py). Called by the drafting tool and by
`escadre layout`. Pure.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from escadre.core.profile import EngineProfile
from escadre.core.weights.findings import IntakeError
from escadre.core.weights.reading import Part
from escadre.fieldfaults import shown

__all__ = ["SEPARATE", "Dtype", "NumberFormat", "check_served", "not_served", "read_format"]

Dtype = Literal["bfloat16", "float16", "float32", "float8", "float4", "int8", "int4"]
SEPARATE: Final = "hf_quant_config.json"  # ModelOpt up to 0.29 writes it beside config.json

_MODELOPT: Final[Mapping[str, tuple[str, Dtype]]] = {
    "FP8": ("modelopt", "float8"),
    "FP8_PER_CHANNEL_PER_TOKEN": ("modelopt", "float8"),
    "FP8_PB_WO": ("modelopt", "float8"),
    "NVFP4": ("modelopt_fp4", "float4"),
    "W4A16_NVFP4": ("modelopt_fp4", "float4"),
    "MXFP8": ("modelopt_mxfp8", "float8"),
}
_SEPARATE_ALGORITHMS: Final = ("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4")
_MODELOPT_GROUPS: Final = {"NVFP4": 16, "W4A16_NVFP4": 16, "MXFP8": 32}
_MODELOPT_BLOCK: Final = (128, 128)  # of FP8_PB_WO
_MX_GROUP: Final = 32


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """How the weights are quantised.

    Args:
        method: as the engine calls it.
        dtypes: of the quantised weights; several where parts of the model differ.
        group_size: weights that share a scale along the input; None without groups.
        block: rows and columns that share a scale; None without blocks.
    """

    method: str
    dtypes: tuple[Dtype, ...]
    group_size: int | None = None
    block: tuple[int, int] | None = None


def read_format(config: Part, separate: Mapping[str, object] | None) -> NumberFormat | None:
    """What config.json or params.json says, else ModelOpt's own file; None: not quantised.

    Raises:
        IntakeError: when it says something that vLLM does not read, or that is not known here.
    """
    mistral = config.part("quantization") if "dim" in config.facts else Part("", {})
    if mistral:
        return _of_mistral(mistral)
    if config.facts.get("quantization_config") is not None:
        return _of_huggingface(config, "quantization_config")
    if separate is not None:
        return _of_separate(Part(SEPARATE, separate))
    text = config.part("text_config")
    for part, name in (
        (config, "compression_config"),
        (text, "quantization_config"),
        (text, "compression_config"),
    ):
        if part.facts.get(name) is not None:
            return _of_huggingface(part, name)
    return None


def check_served(where: str, method: str, profile: EngineProfile) -> None:
    """Raises IntakeError when that version of the engine has no such method."""
    if method not in profile.quantization:
        raise IntakeError(f"{where}: {not_served(method, profile)}")


def not_served(method: str, profile: EngineProfile) -> str:
    """In words for a person."""
    return (
        f"the weights are quantised with {method}, which vLLM {profile.version} does not serve; it "
        f"serves {', '.join(sorted(profile.quantization))}"
    )


def _of_mistral(part: Part) -> NumberFormat:
    if part.text("qformat_weight") == "fp8_e4m3":
        scheme = part.facts.get("qscheme_act")
        if scheme not in {None, "TENSOR", "NO_SCALES"}:
            raise IntakeError(
                f"{part.where}: qscheme_act is {shown(scheme)}, vLLM reads TENSOR and NO_SCALES"
            )
        return NumberFormat("fp8", ("float8",))
    if _method(part) == "compressed-tensors":
        return _compressed(part)
    raise IntakeError(
        f"{part.where}: neither qformat_weight fp8_e4m3 nor quant_method compressed-tensors, and "
        "vLLM reads nothing else in a params.json"
    )


def _of_separate(part: Part) -> NumberFormat:
    """Known by its producer; vLLM takes fewer algorithms from it than from a config.json."""
    algorithm = part.part("quantization").text("quant_algo").upper()
    if algorithm not in _SEPARATE_ALGORITHMS:
        raise IntakeError(
            f"{part.where}: quant_algo is {algorithm[:40] or 'missing'}, vLLM reads "
            f"{', '.join(_SEPARATE_ALGORITHMS)} there"
        )
    return _modelopt_of(algorithm, part.part("quantization"))


def _of_huggingface(config: Part, name: str) -> NumberFormat | None:
    part = config.part(name)
    if not isinstance(config.facts[name], dict):
        raise IntakeError(f"{part.where} is no object")
    if part.part("producer").text("name") == "modelopt" and part.part("quantization"):
        return _of_separate(part)
    method = _method(part)
    if not method:
        return None
    reader = next((read for name, read in _READERS.items() if method.startswith(name)), None)
    return reader(part) if reader else NumberFormat(method, ())


def _method(part: Part) -> str:
    return part.text("quant_method").lower().replace("compressed_tensors", "compressed-tensors")


def _floats(part: Part) -> NumberFormat:
    block = part.facts.get("weight_block_size")
    return NumberFormat(_method(part), ("float8",), block=_block(part, block))


def _packed(part: Part) -> NumberFormat:
    """AWQ, GPTQ and Intel's: integers of so many bits in groups."""
    method = _method(part)
    bits = part.number("bits", "w_bit")
    kind = part.text("data_type")
    dtype: Dtype = "int4" if bits <= 4 else "int8"  # noqa: PLR2004 - bits of a half byte
    if "fp" in kind or kind == "float":
        dtype = "float4" if bits <= 4 else "float8"  # noqa: PLR2004 - as above
    group = part.facts.get("group_size", part.facts.get("q_group_size"))
    size = group if type(group) is int and group > 0 else None  # -1: a scale for a whole row
    return NumberFormat("inc" if method == "auto-round" else method, (dtype,), size)


def _bits_and_bytes(part: Part) -> NumberFormat:
    four = part.facts.get("load_in_4bit") is True
    return NumberFormat(_method(part), ("int4" if four else "int8",))


def _micro(part: Part) -> NumberFormat:
    dtype: Dtype = "float4" if "mxfp4" in _method(part) else "float8"
    return NumberFormat(_method(part), (dtype,), _MX_GROUP)


def _modelopt(part: Part) -> NumberFormat:
    inner = part.part("quantization") or part
    return _modelopt_of(inner.text("quant_algo").upper(), inner)


def _modelopt_of(algorithm: str, part: Part) -> NumberFormat:
    if algorithm == "MIXED_PRECISION":
        return NumberFormat("modelopt_mixed", ("float8", "float4"))
    if algorithm not in _MODELOPT:
        raise IntakeError(
            f"{part.where}: quant_algo is {algorithm[:40] or 'missing'}, vLLM reads "
            f"{', '.join(_MODELOPT)} and MIXED_PRECISION"
        )
    method, dtype = _MODELOPT[algorithm]
    group = part.number("group_size", default=0) or _MODELOPT_GROUPS.get(algorithm)
    return NumberFormat(
        method, (dtype,), group, _MODELOPT_BLOCK if algorithm == "FP8_PB_WO" else None
    )


def _compressed(part: Part) -> NumberFormat:
    """Each group of layers says its own bits; the largest group of weights binds all."""
    groups = part.part("config_groups")
    weights = [groups.part(name).part("weights") for name in sorted(groups.facts)]
    described = [each for each in weights if each]
    dtypes = tuple(dict.fromkeys(_compressed_dtype(each) for each in described))
    sizes = [each.number("group_size", default=0) for each in described if _grouped(each)]
    blocks = [_block(each, each.facts.get("block_structure")) for each in described]
    block = next((each for each in blocks if each), None)
    return NumberFormat("compressed-tensors", dtypes, max(sizes, default=0) or None, block)


def _grouped(weights: Part) -> bool:
    size = weights.facts.get("group_size")
    return type(size) is int and size > 0


def _compressed_dtype(weights: Part) -> Dtype:
    bits = weights.number("num_bits", default=8)
    if weights.text("type") == "float":
        return "float4" if bits <= 4 else "float8"  # noqa: PLR2004 - bits of a half byte
    return "int4" if bits <= 4 else "int8"  # noqa: PLR2004 - as above


def _quark(part: Part) -> NumberFormat:
    weight = part.part("global_quant_config").part("weight")
    named = weight.text("dtype")
    wide: Dtype = "float8" if named.startswith("fp8") else "int8"
    narrow: Dtype = "float4" if named.startswith("fp4") else "int4"
    dtypes = {"8": (wide,), "4": (narrow,)}.get(named.lstrip("uintfp")[:1], ())
    size = weight.facts.get("group_size")
    return NumberFormat("quark", dtypes, size if type(size) is int and size > 0 else None)


def _block(part: Part, value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = [int(each) if each.isdecimal() else 0 for each in value.split("x")]
    match value:
        case [int(rows), int(columns)] if 0 < rows <= 1 << 16 and 0 < columns <= 1 << 16:
            return rows, columns
    raise IntakeError(f"{part.where}: the block of weights is not two numbers: {shown(value)}")


# By how a method's name begins; the first that fits.
_READERS: Final[Mapping[str, Callable[[Part], NumberFormat]]] = {
    "compressed-tensors": _compressed,
    "modelopt": _modelopt,
    "bitsandbytes": _bits_and_bytes,
    "mxfp": _micro,
    "gpt_oss_mxfp4": _micro,
    "quark": _quark,
    "awq": _packed,
    "auto_awq": _packed,
    "gptq": _packed,
    "auto_gptq": _packed,
    "auto-round": _packed,
    "inc": _packed,
    "fp8": _floats,
    "ptpc_fp8": _floats,
    "fbgemm_fp8": _floats,
    "deepseek_v4_fp8": _floats,
}
