"""Which tensors each GPU of a tensor parallel group keeps whole, which are split: by their names.

The names are those of the files, in Mistral's own layout and in Hugging Face's; who keeps what is
as vLLM lays them out (vllm-project/vllm:vllm/model_executor/models: llama.py, mixtral.py,
deepseek_v2.py, pixtral.py, mistral3.py, whisper.py). A tensor whose name says nothing is split,
unless it has one dimension: norms, biases and scales are whole everywhere. Called by the drafting
tool and `escadre layout`. Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from escadre.api.approval import TensorBytes
from escadre.core.weights.safetensors import Tensor

__all__ = ["tensor_bytes"]

_Group = Literal[
    "sharded", "replicated", "embedding", "experts", "encoder_sharded", "encoder_replicated"
]
_SOUND: Final = r"(mm_whisper_embeddings|mm_streams_embeddings\.embedding_module)\."
_ENCODER: Final = re.compile(
    rf"(vision_encoder|(model\.)?(vision_tower|audio_tower)|{_SOUND}whisper_encoder)\."
)
# Between encoder and text model; vLLM splits some of them for config.json, none for params.json.
_PROJECTOR: Final = re.compile(
    r"(vision_language_adapter|patch_merger|pre_mm_projector_norm|"
    rf"(model\.)?multi_modal_projector|{_SOUND}audio_language_projection)\."
)
_POSITIONS: Final = frozenset({"embed_positions", "position_embedding", "class_embedding"})
_EMBEDDING: Final = frozenset({"tok_embeddings", "embed_tokens", "lm_head", "output"})
# The router of experts, and the projections down to the latents of MLA.
_WHOLE: Final = frozenset(
    {"gate", "router", "wq_a", "wkv_a_with_mqa", "q_a_proj", "kv_a_proj_with_mqa"}
)
_MATRIX: Final = 2  # dimensions


def tensor_bytes(tensors: Iterable[Tensor]) -> TensorBytes:
    """Bytes of the tensors in each group, as they are stored; together they are all bytes."""
    sizes: Counter[_Group] = Counter()
    for tensor in tensors:
        sizes[_group(tensor)] += tensor.size
    return TensorBytes(
        sharded=sizes["sharded"],
        replicated=sizes["replicated"],
        embedding=sizes["embedding"],
        experts=sizes["experts"],
        encoder_sharded=sizes["encoder_sharded"],
        encoder_replicated=sizes["encoder_replicated"],
    )


def _group(tensor: Tensor) -> _Group:
    parts = frozenset(tensor.name.split("."))
    narrow = len(tensor.shape) < _MATRIX
    if _PROJECTOR.match(tensor.name):
        return "encoder_replicated"
    if _ENCODER.match(tensor.name):
        whole = len(tensor.shape) != _MATRIX or parts & _POSITIONS  # convolutions have more
        return "encoder_replicated" if whole else "encoder_sharded"
    if parts & _EMBEDDING:
        return "embedding"
    if narrow or parts & _WHOLE:
        return "replicated"
    return "experts" if "experts" in parts else "sharded"
