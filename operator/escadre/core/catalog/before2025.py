"""Dense Mistral models of 2023 and 2024 with public weights. Pure data; shelf.py collects it."""

from dataclasses import replace
from typing import Final

from escadre.api.approval import SlidingWindow
from escadre.core.catalog.entry import GIB, MB, SMALL_ENCODER, Entry, Shape, Weights, bfloat16

__all__ = ["BEFORE_2025"]

_APACHE: Final = "Apache-2.0"
_RESEARCH: Final = "LicenseRef-MRL-0.1"
_7B: Final = Shape(4096, 32, 32, 8, 128, 14336, 32768)
_7B_OLD: Final = _7B._replace(vocabulary=32000)
_22B: Final = Shape(6144, 56, 48, 8, 128, 16384, 32768)
_12B: Final = Shape(5120, 40, 32, 8, 128, 14336, 131072)
_123B: Final = Shape(12288, 88, 96, 8, 128, 28672, 32768)
_ENCODER: Final = 800 * MB  # of some 0.4 billion parameters in bfloat16
_LIMIT_UNSURE: Final = "the engine's own limit was not seen; what Mistral documents stands for it"

_MISTRAL_7B: Final = Entry(
    "mistralai/Mistral-7B-v0.3",
    "Mistral 7B v0.3",
    "7.25 B",
    "2024-05-22",
    _APACHE,
    32768,
    shape=_7B,
    weights=Weights("bfloat16", 1350 * GIB // 100, stated=True),
    sources=("docs", "litgpt", "kaito", "vllm"),
)
_MISTRAL_7B_V01: Final = replace(
    _MISTRAL_7B,
    repository="mistralai/Mistral-7B-v0.1",
    family="Mistral 7B v0.1",
    parameters="7.24 B",
    released="2023-09-27",
    documented=8192,
    shape=_7B_OLD,
    weights=bfloat16(_7B_OLD),
    window=SlidingWindow(tokens=4096, pattern_layers=1, full_layers=0),
    notes=(_LIMIT_UNSURE,),
    sources=("docs", "litgpt", "vllm"),
)
_LARGE_2407: Final = Entry(
    "mistralai/Mistral-Large-Instruct-2407",
    "Mistral Large 2",
    "122.6 B",
    "2024-07-24",
    _RESEARCH,
    131072,
    limit=32768,
    shape=_123B,
    weights=bfloat16(_123B),
    notes=("its configuration allows 32768 tokens only, less than what Mistral documents",),
    sources=("docs", "litgpt", "config", "vllm"),
)
_NEMO: Final = Entry(
    "mistralai/Mistral-Nemo-Instruct-2407",
    "Mistral NeMo",
    "12.2 B",
    "2024-07-18",
    _APACHE,
    131072,
    limit=128000,
    shape=_12B,
    weights=bfloat16(_12B),
    notes=("some revisions allow 1024000 tokens by configuration; the shorter limit is taken",),
    sources=("docs", "config", "vllm"),
)
_PIXTRAL: Final = replace(
    _NEMO,
    repository="mistralai/Pixtral-12B-2409",
    family="Pixtral 12B",
    parameters="12 B + 0.4 B vision",
    released="2024-09-11",
    weights=bfloat16(_12B, _ENCODER),
    vision_heads=16,
    vision_encoder=SMALL_ENCODER.model_copy(
        update={"image_size": 1024, "patch_size": 16, "merge_size": 1}
    ),
    encoder_bytes=_ENCODER,
)
BEFORE_2025: Final = (
    _MISTRAL_7B_V01,
    replace(_MISTRAL_7B_V01, repository="mistralai/Mistral-7B-Instruct-v0.1"),
    replace(
        _MISTRAL_7B_V01,
        repository="mistralai/Mistral-7B-Instruct-v0.2",
        family="Mistral 7B v0.2",
        released="2023-12-11",
        documented=32768,
        window=None,
        notes=(),
    ),
    _MISTRAL_7B,
    replace(_MISTRAL_7B, repository="mistralai/Mistral-7B-Instruct-v0.3"),
    replace(
        _MISTRAL_7B,
        repository="mistralai/Mathstral-7B-v0.1",
        family="Mathstral",
        released="2024-07-16",
        weights=bfloat16(_7B),
    ),
    Entry(
        "mistralai/Codestral-22B-v0.1",
        "Codestral 22B",
        "22.2 B",
        "2024-05-29",
        "LicenseRef-MNPL-0.1",
        32768,
        shape=_22B,
        weights=bfloat16(_22B),
        sources=("docs", "config", "vllm"),
    ),
    _NEMO,
    replace(_NEMO, repository="mistralai/Mistral-Nemo-Base-2407"),
    replace(
        _NEMO,
        repository="mistralai/Mistral-Nemo-Instruct-FP8-2407",
        weights=Weights("float8", 13600 * MB),
    ),
    _LARGE_2407,
    replace(
        _LARGE_2407,
        repository="mistralai/Mistral-Large-Instruct-2411",
        family="Mistral Large 2.1",
        released="2024-11-18",
        limit=131072,
        notes=(),
    ),
    _PIXTRAL,
    replace(_PIXTRAL, repository="mistralai/Pixtral-12B-Base-2409"),
    Entry(
        "mistralai/Mistral-Small-Instruct-2409",
        "Mistral Small 2.0",
        "22.2 B",
        "2024-09-17",
        _RESEARCH,
        32768,
        shape=_22B,
        weights=bfloat16(_22B),
        sources=("docs", "config", "vllm"),
    ),
    Entry(
        "mistralai/Ministral-8B-Instruct-2410",
        "Ministral 8B",
        "8.02 B",
        "2024-10-09",
        _RESEARCH,
        131072,
        limit=32768,
        shape=Shape(4096, 36, 32, 8, 128, 12288, 131072),
        weights=bfloat16(Shape(4096, 36, 32, 8, 128, 12288, 131072)),
        notes=(
            "its windows of 32768 tokens reach as far as the engine's limit, so they save no cache",
        ),
        sources=("docs", "config", "vllm"),
    ),
    Entry(
        "mistralai/Pixtral-Large-Instruct-2411",
        "Pixtral Large",
        "123 B + 1 B vision",
        "2024-11-18",
        _RESEARCH,
        131072,
        shape=_123B,
        weights=Weights("bfloat16", 248000 * MB, stated=True),
        vision_heads=16,
        encoder_bytes=2000 * MB,  # "1 B vision", at least
        sources=("docs", "config", "card", "vllm"),
    ),
)
