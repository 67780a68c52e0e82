"""Mixtures of experts with public weights, oldest first. Pure data; shelf.py collects it."""

from dataclasses import replace
from typing import Final

from escadre.api.approval import Experts, LatentAttention, Quantization
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
)

__all__ = ["EXPERTS"]

_APACHE: Final = "Apache-2.0"
_LONGER: Final = "its configuration allows more tokens than Mistral serves; plan what is documented"

_MIXTRAL_7B: Final = Entry(
    "mistralai/Mixtral-8x7B-v0.1",
    "Mixtral 8x7B",
    "46.7 B, 12.9 B active",
    "2023-12-11",
    _APACHE,
    32768,
    shape=Shape(4096, 32, 32, 8, 128, 14336, 32000),
    weights=Weights("bfloat16", 93400 * MB),
    experts=Experts(routed=8, per_token=2, shared=0, intermediate_size=14336),
    sources=("docs", "litgpt", "aiconfigurator", "vllm"),
)
_MIXTRAL_22B: Final = replace(
    _MIXTRAL_7B,
    repository="mistralai/Mixtral-8x22B-v0.1",
    family="Mixtral 8x22B",
    parameters="140.6 B, 39 B active",
    released="2024-04-17",
    documented=65536,
    shape=Shape(6144, 56, 48, 8, 128, 16384, 32000),
    weights=Weights("bfloat16", 281200 * MB),
    experts=Experts(routed=8, per_token=2, shared=0, intermediate_size=16384),
)
_SMALL_4: Final = Entry(
    "mistralai/Mistral-Small-4-119B-2603",
    "Mistral Small 4",
    "119 B, 6.5 B active",
    "2026-03-16",
    _APACHE,
    262144,
    limit=1048576,
    shape=Shape(4096, 36, 32, 32, 64, 12288, 131072),
    weights=Weights("float8", 11263 * GIB // 100, stated=True),
    vision_heads=16,
    vision_encoder=SMALL_ENCODER,
    encoder_bytes=800 * MB,
    first_engine=(0, 20),
    latent=LatentAttention(
        kv_lora_rank=256, rope_head_dimension=64, query_rank=1024, value_head_dimension=128
    ),
    experts=Experts(routed=128, per_token=4, shared=1, intermediate_size=2048),
    notes=(_LONGER, VISION_HEADS_UNSURE),
    sources=("docs", "recipes", "kaito", "transformers", "config", "vllm"),
)
_LARGE_3: Final = Entry(
    "mistralai/Mistral-Large-3-675B-Instruct-2512",
    "Mistral Large 3",
    "673 B + 2.5 B vision, 39 to 41 B active",
    "2025-12-02",
    _APACHE,
    262144,
    limit=294912,
    shape=Shape(7168, 61, 128, 128, 128, 16384, 131072),
    weights=Weights("float8", 63470 * GIB // 100, stated=True),
    vision_heads=16,
    vision_encoder=LARGE_ENCODER,
    encoder_bytes=LARGE_ENCODER_BYTES,
    latent=LatentAttention(
        kv_lora_rank=512, rope_head_dimension=64, query_rank=1536, value_head_dimension=128
    ),
    experts=Experts(routed=128, per_token=4, shared=1, intermediate_size=4096),
    quantization=Quantization(method="compressed-tensors", block=[128, 128]),
    notes=(_LONGER,),
    sources=("docs", "recipes", "kaito", "card", "vllm"),
)
_LEANSTRAL: Final = replace(
    _SMALL_4,
    repository="mistralai/Leanstral-2603",
    family="Leanstral",
    weights=None,
    unserved="shaped as Mistral Small 4; type and bytes of its weights are not published",
    notes=(),
    sources=("docs", "transformers"),
)

EXPERTS: Final = (
    _MIXTRAL_7B,
    replace(_MIXTRAL_7B, repository="mistralai/Mixtral-8x7B-Instruct-v0.1"),
    _MIXTRAL_22B,
    replace(
        _MIXTRAL_22B,
        repository="mistralai/Mixtral-8x22B-Instruct-v0.1",
        shape=Shape(6144, 56, 48, 8, 128, 16384, 32768),
    ),
    _LARGE_3,
    replace(
        _LARGE_3,
        repository="mistralai/Mistral-Large-3-675B-Instruct-2512-NVFP4",
        weights=Weights("float4", 400000 * MB),
        quantization=None,
        notes=("bytes of the weights from one unconfirmed report", _LONGER),
    ),
    replace(
        _LARGE_3,
        repository="mistralai/Mistral-Large-3-675B-Base-2512",
        weights=Weights("bfloat16", 1352000 * MB),
        quantization=None,
    ),
    _SMALL_4,
    replace(
        _SMALL_4,
        repository="mistralai/Mistral-Small-4-119B-2603-NVFP4",
        weights=Weights("float4", 6595 * GIB // 100, stated=True),
        quantization=Quantization(method="compressed-tensors", group_size=16),
    ),
    _LEANSTRAL,
    replace(
        _LEANSTRAL,
        repository="mistralai/Leanstral-1.5-119B-A6B",
        family="Leanstral 1.5",
        released="2026-06-30",
    ),
    Entry(
        "mistralai/Mistral-Large-4-1T-A52B",
        "Mistral Large 4",
        "1050 B + 1.6 B vision, 52 B active",
        "2026-10-29",
        "LicenseRef-Mistral-Ecosystem-Open-Weight",
        1048576,
        unserved="vLLM 0.32 does not know its architecture (sparse attention, shared caches)",
        sources=("docs-later", "automodel", "vllm"),
    ),
)
