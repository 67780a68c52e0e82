"""Speech, further kinds of model, and those without public weights. Pure data for shelf.py."""

from typing import Final

from escadre.core.catalog.entry import MB, Entry, Shape, Weights
from escadre.core.weights.drafting import NO_DRAFTS
from escadre.core.weights.encoders import OWN_CACHE

__all__ = ["CLOSED", "DRAFTING", "OTHERS"]

_APACHE: Final = "Apache-2.0"
_WHISPER: Final = 1258 * MB  # 32 layers of 1280, feed-forward 5120, in bfloat16

OTHERS: Final = (
    Entry(
        "mistralai/Mamba-Codestral-7B-v0.1",
        "Codestral Mamba",
        "7.3 B",
        "2024-07-16",
        _APACHE,
        262144,
        unserved="a state space model: it has no attention heads to split and no key-value cache",
        sources=("docs", "vllm"),
    ),
    Entry(
        "mistralai/Voxtral-Mini-3B-2507",
        "Voxtral Mini",
        "4.7 B with audio",
        "2025-07-15",
        _APACHE,
        32768,
        shape=Shape(3072, 30, 32, 8, 128, 8192, 131072),
        weights=Weights("bfloat16", 9400 * MB, stated=True),
        audio_heads=20,
        encoder_bytes=_WHISPER,
        notes=("the dimensions are not confirmed by a source",),
        sources=("docs", "config", "card", "vllm"),
    ),
    Entry(
        "mistralai/Voxtral-Small-24B-2507",
        "Voxtral Small",
        "24.3 B with audio",
        "2025-07-15",
        _APACHE,
        32768,
        shape=Shape(5120, 40, 32, 8, 128, 32768, 131072),
        weights=Weights("bfloat16", 48500 * MB, stated=True),
        audio_heads=20,
        encoder_bytes=_WHISPER,
        sources=("docs", "config", "card", "vllm"),
    ),
    Entry(
        "mistralai/Voxtral-Mini-4B-Realtime-2602",
        "Voxtral Realtime",
        "4 B with audio",
        "2026-02-04",
        _APACHE,
        131072,
        unserved=OWN_CACHE,
        sources=("docs", "recipes", "config", "vllm"),
    ),
    Entry(
        "mistralai/Voxtral-4B-TTS-2603",
        "Voxtral TTS",
        "4 B",
        "2026-03-23",
        "CC-BY-NC-4.0",
        0,
        unserved="it needs vLLM-Omni, which is another engine",
        sources=("docs", "recipes"),
    ),
    Entry(
        "mistralai/Shieldstral-1.0",
        "Shieldstral 1.0",
        "3.8 B",
        "2026-08-04",
        _APACHE,
        32768,
        unserved="its dimensions are not published",
    ),
    Entry(
        "mistralai/Timestral-28M",
        "Timestral",
        "0.028 B",
        "2026",
        "LicenseRef-Revenue-Capped",
        0,
        unserved="it forecasts time series and is no language model",
        sources=("card",),
    ),
)


def _drafting(name: str, target: str, released: str, licence: str) -> Entry:
    """A head for speculative decoding (EAGLE), published apart from its model."""
    return Entry(
        f"mistralai/{name}",
        f"{target}, EAGLE",
        "not published",
        released,
        licence,
        0,
        unserved=f"it drafts tokens for {target} and {NO_DRAFTS}",
        sources=("docs", "recipes"),
    )


DRAFTING: Final = (
    _drafting("Mistral-Large-3-675B-Instruct-2512-Eagle", "Mistral Large 3", "2025-12-02", _APACHE),
    _drafting("Mistral-Small-4-119B-2603-eagle", "Mistral Small 4", "2026-03-16", _APACHE),
    _drafting(
        "Mistral-Medium-3.5-128B-EAGLE",
        "Mistral Medium 3.5",
        "2026-04-28",
        "LicenseRef-Modified-MIT",
    ),
)


def _closed(name: str, released: str, documented: int, instead: str) -> Entry:
    why = "no public weights"
    words = f"{why}; {instead}" if instead else why
    return Entry(
        name, name, "not published", released, "LicenseRef-Proprietary", documented, unserved=words
    )


CLOSED: Final = (
    _closed("Mistral Embed", "2023-12", 8192, ""),
    _closed("Mistral Moderation", "2024-11", 8192, "Shieldstral 1.0 is its open counterpart"),
    _closed(
        "Codestral 25.08",
        "2025-08",
        131072,
        "Codestral 22B completes code, under a licence without production use",
    ),
    _closed("Codestral Embed", "2025-05", 8192, ""),
    _closed("Mistral Medium 3", "2025-05", 131072, "replaced by Mistral Medium 3.5"),
    _closed("Mistral Medium 3.1", "2025-08", 131072, "replaced by Mistral Medium 3.5"),
    _closed("Magistral Medium", "2025", 131072, "merged into Mistral Medium 3.5"),
    _closed("Devstral Medium", "2025", 131072, "replaced by Devstral 2 and Mistral Medium 3.5"),
    _closed("Voxtral Mini Transcribe", "2025-07", 0, "Voxtral Mini is its open counterpart"),
    _closed("Mistral OCR 4", "2026-06-23", 0, "sold as one container under licence"),
)
