"""Into how many pipeline stages vLLM splits a model, and what the heaviest of them holds.

core/layouts asks beside the tensor parallel size. The classes of Mistral models have
pipeline parallelism (vllm-project/vllm:vllm/model_executor/models: llama.py, mixtral.py,
pixtral.py, mistral3.py, voxtral.py, deepseek_v2.py). Pure.
"""

from typing import Final

from escadre import reasons
from escadre.api.approval import Architecture
from escadre.core.engines.gpu_memory import GIB
from escadre.core.engines.refusal import LayoutRefusal

__all__ = ["check_stages", "heaviest_stage"]

_ELEMENT: Final = 2  # bytes of an entry of the embedding, which is not quantised


def check_stages(architecture: Architecture, stages: int) -> LayoutRefusal | None:
    """Why a model is not split into so many stages, None when it can be.

    Voxtral has pipeline parallelism and Voxtral Realtime has not (models/voxtral_realtime.py);
    which of the two a model is, is not among its facts, so neither is split.
    """
    if stages == 1:
        return None
    if architecture.audio_heads is not None:
        return LayoutRefusal(
            reasons.PIPELINE_NOT_SUPPORTED,
            f"a model that hears is planned in one stage, not in {stages}: not every one can be "
            "split",
        )
    if stages > architecture.layers:
        return LayoutRefusal(
            reasons.PIPELINE_NOT_SUPPORTED,
            f"{architecture.layers} layers are too few for {stages} stages",
        )
    return None


def heaviest_stage(architecture: Architecture, stages: int) -> Architecture:
    """The model as the GPUs of the stage that holds most see it: fewer layers, less weight.

    vLLM gives what layers are left over to middle stages (vllm-project/vllm:vllm/distributed/
    utils.py get_pp_indices), embedding and encoders to the first, the output head to the last.
    Counted is one stage that has all of it: the most layers, embedding or head, and the encoder.
    Where the headers were not read, embedding and head are taken for one tensor and a vision
    encoder for 1 GiB (the published ones have 0.4 billion weights, 0.8 GB). Measured on Llama 3.1
    8B in four stages: first and last 12 % over an even split; this says 20 %, with headers 12 %.
    """
    if stages == 1:
        return architecture
    layers = -(-architecture.layers // stages)
    groups = architecture.tensors
    embedding = _ELEMENT * architecture.vocabulary_size * architecture.hidden_size
    ends, encoder = embedding, GIB if architecture.vision_heads is not None else 0
    if groups is not None:
        ends, encoder = groups.embedding, groups.encoder_sharded + groups.encoder_replicated
        embedding = min(ends, max(embedding, -(-ends // 2)))
    inner = max(0, architecture.weight_bytes - ends - (encoder if groups else 0))

    def share(whole: int) -> int:
        return -(-whole * layers // architecture.layers)

    held = min(share(inner) + embedding + encoder, architecture.weight_bytes)
    return architecture.model_copy(
        update={
            "layers": layers,
            "weight_bytes": held,
            "tensors": groups
            and groups.model_copy(
                update={
                    "sharded": share(groups.sharded),
                    "replicated": share(groups.replicated),
                    "embedding": embedding,
                    "experts": share(groups.experts),
                }
            ),
        }
    )
