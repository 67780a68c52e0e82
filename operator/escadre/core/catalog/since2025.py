"""Dense Mistral models from 2025 on with public weights. Pure data; shelf.py collects it."""

from dataclasses import replace
from typing import Final

from escadre.core.catalog.entry import (
    GIB,
    LARGE_ENCODER,
    LARGE_ENCODER_BYTES,
    MB,
    SMALL_ENCODER,
    VISION_HEADS_UNSURE,
    Entry,
    Shape,
    Weights,
    bfloat16,
)

__all__ = ["SINCE_2025"]

_APACHE: Final = "Apache-2.0"
_MODIFIED_MIT: Final = "LicenseRef-Modified-MIT"
_24B: Final = Shape(5120, 40, 32, 8, 128, 32768, 131072)
_123B: Final = Shape(12288, 88, 96, 8, 128, 28672, 32768)
_125B: Final = _123B._replace(vocabulary=131072)
_3B_3: Final = Shape(3072, 26, 32, 8, 128, 9216, 131072, tied=True)
_8B_3: Final = Shape(4096, 34, 32, 8, 128, 14336, 131072)
_14B_3: Final = Shape(5120, 40, 32, 8, 128, 16384, 131072)
_ENCODER: Final = 800 * MB  # of some 0.4 billion parameters in bfloat16
_LIMIT_UNSURE: Final = "the engine's own limit was not seen; what Mistral documents stands for it"
_LATER_LIMIT: Final = "the engine's limit is longer by configuration than what Mistral documents"

_SMALL_2501: Final = Entry(
    "mistralai/Mistral-Small-24B-Instruct-2501",
    "Mistral Small 3.0",
    "23.6 B",
    "2025-01-30",
    _APACHE,
    32768,
    shape=_24B,
    weights=bfloat16(_24B),
    sources=("docs", "config", "vllm"),
)
_SMALL_31: Final = replace(
    _SMALL_2501,
    repository="mistralai/Mistral-Small-3.1-24B-Instruct-2503",
    family="Mistral Small 3.1",
    parameters="24 B with vision",
    released="2025-03-17",
    documented=131072,
    weights=Weights("bfloat16", 48020 * MB),
    vision_heads=16,
    vision_encoder=SMALL_ENCODER,
    encoder_bytes=_ENCODER,
    notes=(VISION_HEADS_UNSURE, "bytes of the weights as of Mistral Small 3.2"),
)
_SMALL_32: Final = replace(
    _SMALL_31,
    repository="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
    family="Mistral Small 3.2",
    released="2025-06-20",
    weights=Weights("bfloat16", 48020 * MB, stated=True),
    notes=(VISION_HEADS_UNSURE,),
    sources=("docs", "config", "llmrun", "planner", "vllm"),
)
_MAGISTRAL: Final = replace(
    _SMALL_2501,
    repository="mistralai/Magistral-Small-2506",
    family="Magistral Small 1.0",
    released="2025-06-10",
    documented=40960,
    notes=(_LIMIT_UNSURE,),
)
_DEVSTRAL: Final = replace(
    _SMALL_2501,
    repository="mistralai/Devstral-Small-2505",
    family="Devstral Small 1.0",
    released="2025-05-21",
    documented=131072,
)
_MINISTRAL: Final = Entry(
    "mistralai/Ministral-3-3B-Instruct-2512",
    "Ministral 3 3B",
    "3.4 B + 0.4 B vision",
    "2025-12-02",
    _APACHE,
    262144,
    shape=_3B_3,
    weights=Weights("float8", 435 * GIB // 100, stated=True),
    vision_heads=16,
    vision_encoder=SMALL_ENCODER,
    encoder_bytes=_ENCODER,
    notes=(VISION_HEADS_UNSURE,),
    sources=("docs", "recipes", "kaito", "transformers", "vllm"),
)


def _ministral(size: str, parameters: str, shape: Shape, hundredths: int) -> tuple[Entry, ...]:
    """One size of Ministral 3: FP8 as published for use, bfloat16 for the rest."""
    family = f"Ministral 3 {size}"
    wide = bfloat16(shape, _ENCODER)
    first = replace(
        _MINISTRAL,
        repository=f"mistralai/Ministral-3-{size}-Instruct-2512",
        family=family,
        parameters=f"{parameters} + 0.4 B vision",
        shape=shape,
        weights=Weights("float8", hundredths * GIB // 100, stated=True),
    )
    others = ("Instruct-2512-BF16", "Reasoning-2512", "Base-2512")
    names = (f"mistralai/Ministral-3-{size}-{other}" for other in others)
    wider = [replace(first, repository=name, weights=wide) for name in names]
    wider[1] = replace(
        wider[1], documented=131072, limit=262144, notes=(VISION_HEADS_UNSURE, _LATER_LIMIT)
    )
    return (first, *wider)


SINCE_2025: Final = (
    _SMALL_2501,
    replace(_SMALL_2501, repository="mistralai/Mistral-Small-24B-Base-2501"),
    _SMALL_31,
    replace(_SMALL_31, repository="mistralai/Mistral-Small-3.1-24B-Base-2503"),
    _DEVSTRAL,
    replace(
        _DEVSTRAL,
        repository="mistralai/Devstral-Small-2507",
        family="Devstral Small 1.1",
        released="2025-07-10",
    ),
    _MAGISTRAL,
    _SMALL_32,
    replace(
        _MAGISTRAL,
        repository="mistralai/Magistral-Small-2507",
        family="Magistral Small 1.1",
        released="2025-07-24",
    ),
    replace(
        _SMALL_31,
        repository="mistralai/Magistral-Small-2509",
        family="Magistral Small 1.2",
        released="2025-09-18",
    ),
    *_ministral("3B", "3.4 B", _3B_3, 435),
    *_ministral("8B", "8.5 B", _8B_3, 970),
    *_ministral("14B", "13.5 B", _14B_3, 1465),
    Entry(
        "mistralai/Devstral-Small-2-24B-Instruct-2512",
        "Devstral Small 2",
        "24 B with vision",
        "2025-12-09",
        _APACHE,
        262144,
        limit=393216,
        shape=_24B,
        weights=Weights("float8", 24900 * MB + _ENCODER),
        vision_heads=16,
        vision_encoder=SMALL_ENCODER,
        encoder_bytes=_ENCODER,
        notes=(VISION_HEADS_UNSURE, _LATER_LIMIT),
        sources=("docs", "config", "vllm"),
    ),
    Entry(
        "mistralai/Devstral-2-123B-Instruct-2512",
        "Devstral 2",
        "125.0 B",
        "2025-12-09",
        _MODIFIED_MIT,
        262144,
        shape=_125B,
        weights=Weights("float8", 128200 * MB),
        sources=("docs", "config", "vllm"),
    ),
    Entry(
        "mistralai/Mistral-Medium-3.5-128B",
        "Mistral Medium 3.5",
        "128 B with vision",
        "2026-04-28",
        _MODIFIED_MIT,
        262144,
        shape=_125B,
        weights=Weights("float8", 12443 * GIB // 100, stated=True),
        vision_heads=16,
        vision_encoder=LARGE_ENCODER,
        encoder_bytes=LARGE_ENCODER_BYTES,
        first_engine=(0, 18),
        notes=(VISION_HEADS_UNSURE,),
        sources=("docs", "recipes", "kaito", "sglang", "automodel", "vllm"),
    ),
)
