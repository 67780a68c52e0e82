"""What is published about one model, and the facts that the planner makes of it. Pure data types.

The rows are in the modules beside; shelf.py finds among them. Where no
source gives the bytes of the weights they are computed from the dimensions, and ``stated`` says so.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from escadre.api.approval import (
    Architecture,
    Experts,
    LatentAttention,
    Quantization,
    SlidingWindow,
    VisionEncoder,
)
from escadre.core.profile import EngineProfile
from escadre.core.weights.architecture import Dtype

__all__ = [
    "GIB",
    "LARGE_ENCODER",
    "LARGE_ENCODER_BYTES",
    "MB",
    "SMALL_ENCODER",
    "SOURCES",
    "VISION_HEADS_UNSURE",
    "Entry",
    "Shape",
    "Weights",
    "bfloat16",
]

MB: Final = 10**6
GIB: Final = 1 << 30
VISION_HEADS_UNSURE: Final = "the 16 heads of the vision encoder are not confirmed by a source"

SOURCES: Final = {
    "docs": "mistralai/platform-docs-public@222f4ba9 src/schema/models/models",
    "docs-later": "mistralai/platform-docs-public@2175369b mistral-large-4-0.ts",
    "recipes": "vllm-project/recipes@8959cf64 models/mistralai",
    "vllm": "vllm-project/vllm 0.32 vllm/model_executor/models/registry.py",
    "kaito": "kaito-project/kaito@056b8280 presets/workspace/models/model_catalog.yaml",
    "litgpt": "Lightning-AI/litgpt litgpt/config.py",
    "aiconfigurator": "ai-dynamo/aiconfigurator aic-core/src/aiconfigurator_core/model_configs",
    "transformers": "huggingface/transformers configuration_ministral3.py, _mistral4.py",
    "sglang": "docs.sglang.io cookbook, autoregressive/Mistral",
    "automodel": "NVIDIA-NeMo/Automodel@36044ad3, docs.nvidia.com/nemo/automodel",
    "planner": "llm-d-incubation/llm-d-planner@e50305a docs/empirical-vllm-memory-results.md",
    "config": "config.json or params.json of the repository or of a public copy",
    "card": "model card on huggingface.co",
    "llmrun": "llmrun.dev",
}

# huggingface/transformers: configuration_pixtral.py, _mistral3.py, _ministral3.py; params.json.
SMALL_ENCODER: Final = VisionEncoder(
    hidden_size=1024, intermediate_size=4096, image_size=1540, patch_size=14, merge_size=2
)
LARGE_ENCODER: Final = VisionEncoder(
    hidden_size=1664, intermediate_size=8192, image_size=1540, patch_size=14, merge_size=2
)
LARGE_ENCODER_BYTES: Final = 4980 * MB  # of 48 such layers in bfloat16


class Shape(NamedTuple):
    """The dimensions of a decoder, in the order in which they are mostly listed."""

    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    head_dimension: int
    feed_forward: int
    vocabulary: int
    tied: bool = False  # one matrix for embedding and head

    @property
    def parameters(self) -> int:
        """Of a dense text model without biases: embedding, head, attention, feed-forward, norms."""
        queries = self.heads * self.head_dimension
        cached = self.key_value_heads * self.head_dimension
        layer = 2 * self.hidden * (queries + cached) + 3 * self.hidden * self.feed_forward
        embedding = self.vocabulary * self.hidden * (1 if self.tied else 2)
        return embedding + self.layers * (layer + 2 * self.hidden) + self.hidden


class Weights(NamedTuple):
    """Type of most bytes, bytes of all tensors, and whether a source states them."""

    dtype: Dtype
    size: int
    stated: bool = False


def bfloat16(shape: Shape, besides: int = 0) -> Weights:
    """Of a dense model, computed from the dimensions, and ``besides`` for an encoder."""
    return Weights("bfloat16", 2 * shape.parameters + besides)


@dataclass(frozen=True, slots=True)
class Entry:
    """A model as it is published.

    Args:
        repository: organisation/model as on the hub, or the product's name without public weights.
        family: what Mistral calls it.
        parameters: as published.
        released: day.
        licence: SPDX identifier, or LicenseRef-…
        documented: the longest context that Mistral documents, 0 where none is said.
        limit: the longest that the engine allows by the model's own configuration.
        shape: dimensions; None where they are not public, or are no decoder's.
        weights: None where neither type nor bytes are known.
        vision_heads: attention heads of the vision encoder.
        vision_encoder: its dimensions, where they are known.
        audio_heads: of the audio encoder.
        encoder_bytes: of the weights at least those of the encoder, from its dimensions; 0 where
            they are not known.
        latent: of multi-head latent attention.
        window: of layers that see the last tokens only.
        experts: of a mixture.
        quantization: how its weights are quantised, where that limits how they are split.
        first_engine: the first version of vLLM that serves it, where it is newer than the oldest
            profile.
        unserved: why no layout is planned, "" where one is.
        notes: what is not confirmed, or what a reader would stumble over.
        sources: keys of SOURCES.
    """

    repository: str
    family: str
    parameters: str
    released: str
    licence: str
    documented: int
    limit: int = 0
    shape: Shape | None = None
    weights: Weights | None = None
    vision_heads: int | None = None
    vision_encoder: VisionEncoder | None = None
    audio_heads: int | None = None
    encoder_bytes: int = 0
    latent: LatentAttention | None = None
    window: SlidingWindow | None = None
    experts: Experts | None = None
    quantization: Quantization | None = None
    first_engine: tuple[int, int] = (0, 0)
    unserved: str = ""
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("docs",)

    @property
    def architecture(self) -> Architecture | None:
        """The planner's facts, as a draft of an approval would have them."""
        shape, weights = self.shape, self.weights
        if shape is None or weights is None or self.unserved:
            return None
        return Architecture(
            format="mistral",
            tokenizer="mistral",
            dtype=weights.dtype,
            weight_bytes=weights.size,
            hidden_size=shape.hidden,
            intermediate_size=shape.feed_forward,
            layers=shape.layers,
            attention_heads=shape.heads,
            key_value_heads=shape.key_value_heads,
            head_dimension=shape.head_dimension,
            vocabulary_size=shape.vocabulary,
            max_context_length=self.limit or self.documented,
            vision_heads=self.vision_heads,
            vision_encoder=self.vision_encoder,
            audio_heads=self.audio_heads,
            latent_attention=self.latent,
            sliding_window=self.window,
            experts=self.experts,
            quantization=self.quantization,
        )

    def unserved_by(self, profile: EngineProfile) -> str:
        """Why no layout is planned for that version of the engine, "" where one is."""
        major, minor = self.first_engine
        if self.unserved or (major, minor) <= tuple(map(int, profile.version.split("."))):
            return self.unserved
        return f"vLLM {profile.version} does not serve it, {major}.{minor} is the first that does"
