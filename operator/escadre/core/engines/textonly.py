"""A model that is served without its encoder of images or sound: its facts as the engine sees them.

vLLM leaves out the encoder and the projector behind it, their weights and the run with the largest
images or sounds that it profiles, when it is started with --language-model-only. It makes the
encoder's layers all the same, on the meta device, before it drops them, and ends where their heads
do not divide (vllm-project/vllm:vllm/model_executor/models/interfaces.py _mark_tower_model,
utils.py no_init_weights): these facts are for memory, and legality is judged on the whole. Pure.
"""

from typing import Final

from escadre.api.approval import Architecture, TensorBytes

__all__ = ["encoder_bytes", "without_encoder"]

_NONE: Final = {"encoder_sharded": 0, "encoder_replicated": 0}


def encoder_bytes(groups: TensorBytes | None) -> int:
    """Of the encoder and its projector; 0 where the headers were not read."""
    return 0 if groups is None else groups.encoder_sharded + groups.encoder_replicated


def without_encoder(architecture: Architecture, known_bytes: int | None = None) -> Architecture:
    """The facts of the text model alone.

    Args:
        architecture: of the whole model.
        known_bytes: what the encoder weighs, where something else than the headers tells it;
            an encoder of which nothing is known stays among the weights.
    """
    groups = architecture.tensors
    less = encoder_bytes(groups) if known_bytes is None else known_bytes
    return architecture.model_copy(
        update={
            "vision_heads": None,
            "audio_heads": None,
            "vision_encoder": None,
            "audio_intermediate_size": None,
            "weight_bytes": max(1, architecture.weight_bytes - less),
            "tensors": groups and groups.model_copy(update=_NONE),
        }
    )
