"""A layout as the planner gives it, for tests that only carry one around."""

from escadre.api.deployment import Capacity, Layout, MemoryArithmetic

__all__ = ["LAYOUT"]

GIB = 1 << 30
LAYOUT = Layout(
    summary="2×H100 tp2",
    product="NVIDIA-H100-80GB-HBM3",
    gpus=2,
    tensor_parallel_size=2,
    pipeline_parallel_size=1,
    max_model_len=32768,
    max_num_seqs=32,
    max_num_batched_tokens=8192,
    gpu_memory_utilization_percent=92,
    typical_tokens=4096,
    memory=MemoryArithmetic(
        visible_bytes=79 * GIB,
        usable_bytes=72 * GIB,
        weights_bytes=22 * GIB,
        overhead_bytes=6 * GIB,
        key_value_cache_bytes=44 * GIB,
        key_value_bytes_per_token=81920,
    ),
    capacity=Capacity(
        key_value_tokens=576716,
        required_tokens=131072,
        full_length_requests=17,
        typical_requests=140,
    ),
)
