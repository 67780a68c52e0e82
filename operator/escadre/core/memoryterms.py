"""What vLLM takes of a GPU beside weights and cache, by generation: constants as data.

core/profile.py gives each version its generation; core/engines/gpu_memory.py counts with it. Each
number was read in the source or in published start-ups of its versions. Pure data.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["GENERATIONS", "MemoryTerms", "terms_of"]

_MIB: Final = 1 << 20
_SECOND_RUNNER: Final = 27  # the minor version that it came with, for dense models


@dataclass(frozen=True, slots=True)
class MemoryTerms:
    """The constants of one generation, bytes unless said otherwise.

    Args:
        since: first minor version of it; it holds until the next begins.
        sampler: per row and vocabulary entry that the sampler's dummy run holds at its peak.
        dense_sampler: the same of dense models, which run on the second model runner since 0.27.
        non_torch: CUDA context's growth, cuBLAS and the like, without collectives.
        non_torch_switched: with tensor parallelism among GPUs on NVLink switches.
        non_torch_bus: with tensor parallelism among GPUs that PCIe joins.
        expert_graphs: whether the CUDA graphs of mixture-of-experts models and latent attention
            come out of the utilisation.
        dense_graphs: whether those of dense models do.
        source: of the numbers.
    """

    since: int
    sampler: int
    dense_sampler: int
    non_torch: int
    non_torch_switched: int
    non_torch_bus: int
    expert_graphs: bool
    dense_graphs: bool
    source: str

    @property
    def second_runner(self) -> bool:
        """Whether dense models run on the second model runner."""
        return self.since >= _SECOND_RUNNER


_EARLY: Final = (
    "llm-d/llm-d-benchmark:config_explorer/empirical-vllm-memory-results.md: activation 4.76, 5.56 "
    "to 5.64 and 7.38 GiB at 1,024 rows, non-torch 0.13 on one GPU, 0.55 on two; sort, softmax and "
    "cumulative sum of the top-p sampler beside the logits"
)
_FUSED: Final = (
    "llm-d-incubation/llm-d-planner:docs/accuracy/vllm-v0.19.0-accuracy-report.md: non-torch 0.24 "
    "to 0.46 GiB on one GPU, 2.06 to 2.17 with tensor parallelism on H100; across PCIe as before, "
    "which one start-up of 0.27 on two RTX PRO 6000 bears out; since 0.17 top-k and top-p sort "
    "nothing: logits in 16 bits, and in float32 themselves, their softmax, the noise"
)
_ESTIMATED: Final = (
    "vllm-project/vllm:vllm/envs.py VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS, default since 0.21; "
    "v1/worker/gpu_model_runner.py profile_cudagraph_memory, of every model"
)
_SECOND: Final = (
    "vllm-project/vllm:vllm/config/vllm.py use_v2_model_runner; v1/worker/gpu/model_runner.py: "
    "profile_cudagraph_memory returned 0; gpu/sample/sampler.py: logits in 16 bits and in float32"
)
_BOTH: Final = (
    "vllm-project/vllm:vllm/v1/worker/gpu/cudagraph_utils.py profile_cudagraph_memory as 0.32 has "
    "it; 0.31 on A100: 1.44 GiB of peak activation with the estimate in it"
)

# fmt: off
GENERATIONS: Final = (
    MemoryTerms(0, 38, 38, 160 * _MIB, 640 * _MIB, 640 * _MIB, False, False, _EARLY),
    MemoryTerms(17, 14, 14, 288 * _MIB, 2208 * _MIB, 640 * _MIB, False, False, _FUSED),
    MemoryTerms(21, 14, 14, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, True, _ESTIMATED),
    MemoryTerms(27, 14, 6, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, False, _SECOND),
    MemoryTerms(29, 14, 6, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, True, _BOTH),
)
# fmt: on


def terms_of(minor: int) -> MemoryTerms:
    """The generation of 0.``minor``."""
    return next(terms for terms in reversed(GENERATIONS) if terms.since <= minor)
