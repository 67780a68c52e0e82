"""Peak of encoding the largest images of a batch, which vLLM's profile run does first.

core/engines/activation.py asks it. vllm-project/vllm:vllm/multimodal/encoder_budget.py (as many
images as the tokens of a batch hold, one at least), vllm/model_executor/models/pixtral.py (all of
them in one pass). Pure integers.
"""

from typing import Final

from escadre.api.approval import Architecture, VisionEncoder
from escadre.core.engines.amounts import GIB, ceil_div
from escadre.core.engines.limits import EngineLimits

__all__ = ["encoding_bytes"]

_ELEMENT: Final = 2  # bytes of one activation
_PIXEL: Final = 3 * 4  # bytes: three colours in float32
_FIRST_WIDTHS: Final = 8  # before the layers: patches of each image, joined, normalised
# Of a layer on every GPU: input, residual, normalised, sums; in Hugging Face's classes also the
# input of all layers and its positions.
_WHOLE_WIDTHS: Final = {"mistral": 6, "huggingface": 8}
_SPLIT_WIDTHS: Final = 3  # of the feed-forward: gate, up and their product


def encoding_bytes(architecture: Architecture, limits: EngineLimits) -> int:
    """The peak; 1 GiB where the dimensions of the encoder are not known.

    Held against vLLM 0.32's own layers (tests/core/engines/test_weighed.py). Until 0.28 a mask of
    every patch against every other stood beside it, in the type of the activations.
    """
    encoder = architecture.vision_encoder
    if encoder is None:
        return GIB
    images = max(1, limits.max_num_batched_tokens // _tokens(encoder))
    patches = images * _patches(encoder)
    width = _WHOLE_WIDTHS[architecture.format] * encoder.hidden_size
    width += _SPLIT_WIDTHS * ceil_div(encoder.intermediate_size, limits.tensor_parallel_size)
    width = max(width, _FIRST_WIDTHS * encoder.hidden_size)
    mask = patches * patches if limits.terms.image_masks else 0
    return _ELEMENT * (patches * width + mask) + _PIXEL * images * encoder.image_size**2


def _patches(encoder: VisionEncoder) -> int:
    return max(1, encoder.image_size // encoder.patch_size) ** 2


def _tokens(encoder: VisionEncoder) -> int:
    """Of the text model, without those that break lines: fewer tokens, more images at once."""
    return max(1, encoder.image_size // (encoder.patch_size * encoder.merge_size)) ** 2
