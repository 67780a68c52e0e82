"""Which tensors every GPU keeps whole, by the names that published files have."""

from typing import Any

import pytest

from escadre.core.weights.safetensors import Tensor
from escadre.core.weights.tensorgroups import tensor_bytes

GROUPS = (
    "sharded",
    "replicated",
    "embedding",
    "experts",
    "encoder_sharded",
    "encoder_replicated",
)


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name, "BF16", shape, 0, 2 * 4096)


@pytest.mark.parametrize(
    ("group", "name", "shape"),
    [
        ("sharded", "layers.0.attention.wq.weight", (4096, 4096)),
        ("sharded", "layers.0.attention.wkv_b.weight", (4096, 512)),
        ("sharded", "layers.0.shared_experts.w1.weight", (4096, 7168)),
        ("sharded", "model.layers.0.mlp.gate_proj.weight", (14336, 4096)),
        ("sharded", "model.language_model.layers.0.self_attn.o_proj.weight", (5120, 4096)),
        ("sharded", "language_model.model.layers.0.mlp.down_proj.weight_scale", (5120, 256)),
        ("sharded", "a.name.that.says.nothing", (64, 64)),
        ("replicated", "layers.0.attention_norm.weight", (4096,)),
        ("replicated", "model.norm.weight", (4096,)),
        ("replicated", "layers.0.attention.wq.qscale_weight", ()),
        ("replicated", "layers.0.attention.wq_a.weight", (1536, 7168)),
        ("replicated", "layers.0.attention.wkv_a_with_mqa.weight", (576, 7168)),
        ("replicated", "model.layers.3.self_attn.kv_a_proj_with_mqa.weight", (576, 7168)),
        ("replicated", "layers.0.gate.weight", (128, 7168)),
        ("replicated", "model.layers.0.block_sparse_moe.gate.weight", (8, 4096)),
        ("replicated", "layers.0.experts.5.w1.qscale_act", (1,)),
        ("embedding", "tok_embeddings.weight", (131072, 5120)),
        ("embedding", "output.weight", (131072, 5120)),
        ("embedding", "mm_whisper_embeddings.tok_embeddings.weight", (131072, 5120)),
        ("embedding", "language_model.model.embed_tokens.weight", (131072, 5120)),
        ("embedding", "lm_head.weight", (131072, 5120)),
        ("experts", "layers.0.experts.5.w1.weight", (4096, 7168)),
        ("experts", "model.layers.0.block_sparse_moe.experts.3.w2.weight", (4096, 14336)),
        ("experts", "language_model.model.layers.0.mlp.experts.gate_up_proj", (128, 4096, 4096)),
        ("encoder_sharded", "vision_encoder.transformer.layers.0.attention.wq.weight", (1024, 64)),
        (
            "encoder_sharded",
            "vision_tower.transformer.layers.0.feed_forward.up_proj.weight",
            (4, 4),
        ),
        ("encoder_sharded", "audio_tower.layers.0.fc1.weight", (5120, 1280)),
        ("encoder_replicated", "vision_encoder.patch_conv.weight", (1024, 3, 14, 14)),
        ("encoder_replicated", "model.vision_tower.ln_pre.weight", (1024,)),
        ("encoder_replicated", "audio_tower.embed_positions.weight", (1500, 1280)),
        (
            "encoder_replicated",
            "mm_whisper_embeddings.whisper_encoder.conv_layers.0.weight",
            (1280, 128, 3),
        ),
        ("encoder_replicated", "vision_language_adapter.w_in.weight", (5120, 1024)),
        ("encoder_replicated", "patch_merger.merging_layer.weight", (1024, 4096)),
        ("encoder_replicated", "model.multi_modal_projector.linear_1.weight", (5120, 1024)),
        (
            "encoder_replicated",
            "mm_whisper_embeddings.audio_language_projection.0.weight",
            (3072, 5120),
        ),
    ],
)
def test_a_tensor_belongs_to_one_group(group: str, name: str, shape: tuple[int, ...]) -> None:
    found = tensor_bytes([tensor(name, *shape)]).model_dump()
    assert found == {**dict.fromkeys(GROUPS, 0), group: 8192}


def test_the_groups_are_all_bytes() -> None:
    tensors = [
        Tensor("output.weight", "BF16", (2, 3), 0, 12),
        Tensor("norm.weight", "F32", (3,), 12, 24),
        Tensor("layers.0.attention.wo.weight", "F8_E4M3", (5, 1), 24, 29),
    ]
    found: dict[str, Any] = tensor_bytes(tensors).model_dump()
    assert {name: size for name, size in found.items() if size} == {
        "embedding": 12,
        "replicated": 12,
        "sharded": 5,
    }
