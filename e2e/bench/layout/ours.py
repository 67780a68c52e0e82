"""What Escadre estimates of a published start-up, with the terms of its engine. Pure."""

from dataclasses import dataclass, replace
from statistics import mean

from e2e.bench.layout.table import Startup
from escadre.core.engines.amounts import GIB
from escadre.core.engines.cards import is_switched
from escadre.core.engines.gpu_memory import overhead_bytes
from escadre.core.engines.limits import EngineLimits, stages_of
from escadre.core.engines.weights_memory import weights_bytes
from escadre.core.layouts.estimate import Launch, estimate
from escadre.core.memoryterms import MemoryTerms
from escadre.core.profile import profile_for

__all__ = ["Answer", "answer", "without_model"]


@dataclass(frozen=True, slots=True)
class Answer:
    """GiB of cache on one GPU, and whether the engine starts."""

    cache: float
    fits: bool


def answer(startup: Startup, terms: MemoryTerms | None = None) -> Answer:
    """The estimate; of a row that tells one pipeline stage, the cache of that stage."""
    row = startup.row
    limits = EngineLimits(
        tensor_parallel_size=row["tensorParallel"],
        max_num_seqs=row["maxNumSeqs"],
        max_num_batched_tokens=row["maxNumBatchedTokens"],
        pipeline_parallel_size=row["pipelineParallel"],
        terms=terms or _terms(startup),
        switched=is_switched(row["gpu"]),
    )
    element = 1 if row.get("cacheType", "auto").startswith("fp8") else 2
    launch = Launch(limits, row["maxModelLen"], startup.visible, startup.utilization, element)
    found = estimate(startup.architecture, launch)
    if found.filled is None:
        raise ValueError(f"row {row['id']} is not legal: {found.refusal}")
    fill = found.filled.fill
    cache = fill.cache_bytes
    if row.get("stage") == "first":
        stage = stages_of(startup.architecture.layers, limits.pipeline_parallel_size)[0]
        held = weights_bytes(startup.architecture, limits.tensor_parallel_size, stage)
        cache = fill.usable_bytes - held - overhead_bytes(startup.architecture, limits, stage)
    return Answer(cache / GIB, found.refusal is None)


def without_model(startup: Startup, others: tuple[Startup, ...]) -> Answer:
    """The estimate with the one term that comes from rows, non-torch, from other models' rows.

    The rest (bytes of the sampler, widths of a layer, stored weights) was read in the source.
    """
    terms, split = _terms(startup), startup.row["tensorParallel"] > 1
    seen = [
        other.row["nonTorchGiB"]
        for other in others
        if other.row["model"] != startup.row["model"]
        and _terms(other) == terms
        and (other.row["tensorParallel"] > 1) == split
        and other.row["pipelineParallel"] == 1
        and "nonTorchGiB" in other.row
    ]
    if not seen:
        return answer(startup)
    size = int(mean(seen) * GIB)
    if split:
        return answer(startup, replace(terms, non_torch_switched=size, non_torch_bus=size))
    return answer(startup, replace(terms, non_torch=size))


def _terms(startup: Startup) -> MemoryTerms:
    return profile_for(startup.row["engine"]).profile.memory
