"""What vLLM takes of a GPU beside weights and cache, by generation: constants as data.

core/profile.py gives each version its generation; core/engines/gpu_memory.py counts with it. Each
number was read in the source or in published start-ups of its versions. Pure data.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["GENERATIONS", "MemoryTerms", "Runner", "terms_of"]

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Runner:
    """What vLLM's model runner holds while a profile run samples, and whether graphs are charged.

    Args:
        sampler: bytes per row and vocabulary entry that the sampler's dummy run holds at its peak.
        graphs: whether the CUDA graphs come out of the utilisation.
        second: whether it is the second model runner, which encodes images in one stage only.
    """

    sampler: int
    graphs: bool
    second: bool = False


@dataclass(frozen=True, slots=True)
class MemoryTerms:
    """The constants of one generation, bytes unless said otherwise.

    Args:
        since: first minor version of it; it holds until the next begins.
        dense: the runner of dense models.
        experts: the runner of mixtures of experts and of latent attention.
        non_torch: CUDA context's growth, cuBLAS and the like, without collectives.
        non_torch_switched: with tensor parallelism among GPUs on NVLink switches.
        non_torch_bus: with tensor parallelism among GPUs that PCIe joins.
        image_masks: whether encoders of images keep a mask of all patches of a batch.
        source: of the numbers.
    """

    since: int
    dense: Runner
    experts: Runner
    non_torch: int
    non_torch_switched: int
    non_torch_bus: int
    image_masks: bool
    source: str


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
_ALL: Final = (
    "vllm-project/vllm:vllm/config/vllm.py use_v2_model_runner: every model since 0.29 (until "
    "then _is_default_v2_model_runner_model, no experts or MLA); v1/worker/gpu/cudagraph_utils.py "
    "profile_cudagraph_memory; 0.31 on A100: 1.44 GiB of peak activation with the estimate in it; "
    "model_executor/models/pixtral.py MMEncoderAttention in place of a mask"
)
_SORTING: Final = Runner(38, graphs=False)
_FIRST: Final = Runner(14, graphs=True)
_UNCHARGED: Final = Runner(14, graphs=False)
_UNESTIMATED: Final = Runner(6, graphs=False, second=True)
_LATEST: Final = Runner(6, graphs=True, second=True)

# fmt: off
GENERATIONS: Final = (
    MemoryTerms(0, _SORTING, _SORTING, 160 * _MIB, 640 * _MIB, 640 * _MIB, True, _EARLY),
    MemoryTerms(17, _UNCHARGED, _UNCHARGED, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, _FUSED),
    MemoryTerms(21, _FIRST, _FIRST, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, _ESTIMATED),
    MemoryTerms(27, _UNESTIMATED, _FIRST, 288 * _MIB, 2208 * _MIB, 640 * _MIB, True, _SECOND),
    MemoryTerms(29, _LATEST, _LATEST, 288 * _MIB, 2208 * _MIB, 640 * _MIB, False, _ALL),
)
# fmt: on


def terms_of(minor: int) -> MemoryTerms:
    """The generation of 0.``minor``."""
    return next(terms for terms in reversed(GENERATIONS) if terms.since <= minor)
