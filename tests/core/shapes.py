"""Shapes of published Mistral models and of GPUs, for the planner's tests."""

from escadre.api.approval import Architecture, Experts, LatentAttention, SlidingWindow
from escadre.core.catalog.entry import LARGE_ENCODER, SMALL_ENCODER
from escadre.core.layouts.search import GPUProduct

MIB = 1 << 20


def gpu(name: str, mebibytes: int, capability: tuple[int, int], node_gpus: int = 8) -> GPUProduct:
    return GPUProduct(name, mebibytes * MIB, None, capability, node_gpus)


T4 = gpu("Tesla-T4", 15360, (7, 5), 4)
L4 = gpu("NVIDIA-L4", 23034, (8, 9), 2)
L40S = gpu("NVIDIA-L40S", 46068, (8, 9), 4)
A100 = gpu("NVIDIA-A100-SXM4-80GB", 81920, (8, 0))
H100 = gpu("NVIDIA-H100-80GB-HBM3", 81559, (9, 0))
H200 = gpu("NVIDIA-H200", 143771, (9, 0))
B200 = gpu("NVIDIA-B200", 183359, (10, 0))
EVERY_GPU = (T4, L4, L40S, A100, H100, H200, B200)

MISTRAL_7B = Architecture(
    format="mistral",
    tokenizer="mistral",
    dtype="bfloat16",
    weight_bytes=14_496_047_104,
    hidden_size=4096,
    intermediate_size=14336,
    layers=32,
    attention_heads=32,
    key_value_heads=8,
    head_dimension=128,
    vocabulary_size=32768,
    max_context_length=32768,
)
MISTRAL_7B_V01 = MISTRAL_7B.model_copy(
    update={"sliding_window": SlidingWindow(tokens=4096, pattern_layers=1, full_layers=0)}
)
INTERLEAVED = MISTRAL_7B.model_copy(
    update={
        "max_context_length": 131072,
        "sliding_window": SlidingWindow(tokens=4096, pattern_layers=4, full_layers=1),
    }
)
SMALL_3 = MISTRAL_7B.model_copy(
    update={
        "weight_bytes": 48_022_792_280,
        "hidden_size": 5120,
        "intermediate_size": 32768,
        "layers": 40,
        "vocabulary_size": 131072,
        "max_context_length": 131072,
        "vision_heads": 16,
    }
)
LARGE_2 = MISTRAL_7B.model_copy(
    update={
        "weight_bytes": 245_220_000_000,
        "hidden_size": 12288,
        "intermediate_size": 28672,
        "layers": 88,
        "attention_heads": 96,
        "max_context_length": 131072,
    }
)
MEDIUM_3 = LARGE_2.model_copy(
    update={
        "dtype": "float8",
        "weight_bytes": 133_600_000_000,
        "vocabulary_size": 131072,
        "max_context_length": 262144,
        "vision_heads": 16,
    }
)
SMALL_4 = SMALL_3.model_copy(
    update={
        "dtype": "float8",
        "weight_bytes": 120_900_000_000,
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "layers": 36,
        "key_value_heads": 32,
        "max_context_length": 262144,
        "latent_attention": LatentAttention(kv_lora_rank=256, rope_head_dimension=64),
        "experts": Experts(routed=128, per_token=4, shared=1, intermediate_size=2048),
    }
)
LARGE_3 = SMALL_4.model_copy(
    update={
        "weight_bytes": 681_500_000_000,
        "hidden_size": 7168,
        "intermediate_size": 16384,
        "layers": 61,
        "attention_heads": 128,
        "key_value_heads": 128,
        "max_context_length": 294912,
        "latent_attention": LatentAttention(kv_lora_rank=512, rope_head_dimension=64),
        "experts": Experts(routed=128, per_token=4, shared=1, intermediate_size=4096),
    }
)
SEEING = MEDIUM_3.model_copy(update={"vision_encoder": LARGE_ENCODER})
SMALL_4_TOLD = SMALL_4.model_copy(
    update={
        "head_dimension": 64,
        "vision_encoder": SMALL_ENCODER,
        "latent_attention": LatentAttention(
            kv_lora_rank=256, rope_head_dimension=64, query_rank=1024, value_head_dimension=128
        ),
    }
)
EVERY_MODEL = (
    MISTRAL_7B_V01,
    INTERLEAVED,
    MISTRAL_7B,
    SMALL_3,
    LARGE_2,
    MEDIUM_3,
    SMALL_4,
    LARGE_3,
    SEEING,
    SMALL_4_TOLD,
)
