"""A measured run of vLLM, and what the estimate says of it. Pure.

A run keeps ``concurrency`` requests of ``prompt`` and ``answer`` tokens going and tells the mean
time between tokens (TPOT). In the steady state a step decodes all of them and reads, on average,
the prompts of those that begin: concurrency × prompt / answer tokens.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.bench.speed.models import KNOWN, architecture_of
from escadre.core.engines.amounts import MIB
from escadre.core.engines.cards import cards_named
from escadre.core.engines.gpu_memory import fill_gpu, key_value_bytes_per_token, visible_bytes
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.speed import speed_of

__all__ = ["TABLE", "Run", "error", "estimated", "read_table", "refused", "run_of"]

TABLE: Final = Path(__file__).parents[3] / "tests" / "core" / "engines" / "data" / "speed.csv"
_UTILIZATION: Final = 90  # percent: the default of those versions
_SYSTEMS: Final = {
    "h100_sxm": "NVIDIA-H100-80GB-HBM3",
    "h200_sxm": "NVIDIA-H200",
    "b200_sxm": "NVIDIA-B200",
    "b300_sxm": "NVIDIA-B300",
}
_FITTED: Final = {("meta-llama/Llama-3.1-70B", "fp8"), ("Qwen/Qwen3-32B", "")}
_FITTED_EXPERTS: Final = "MiniMaxAI/MiniMax-M2.5"


@dataclass(frozen=True, slots=True)
class Run:
    """One row. ``tpot`` in milliseconds; ``engine`` "" where the source does not say a version."""

    system: str
    model: str
    precision: str
    tensor: int
    expert: int
    engine: str
    prompt: int
    answer: int
    concurrency: int
    tpot: float

    @property
    def product(self) -> str:
        """As GPU feature discovery writes it."""
        return _SYSTEMS[self.system]

    @property
    def fitted(self) -> bool:
        """Whether a number of the estimate was fitted on it."""
        on_dense = self.system == "h100_sxm" and (self.model, self.precision) in _FITTED
        return on_dense or self.model == _FITTED_EXPERTS


def refused(row: dict[str, str]) -> str:
    """Why a row of the source cannot be compared, "" when it can."""
    if (row["backend"], row["mode"]) != ("vllm", "agg"):
        return "another engine, or prefill and decode apart"
    if row["system"] not in _SYSTEMS or row["model_path"] not in KNOWN:
        return "a model with interleaved windows"
    run = run_of(row)
    parts = int(row["moe_tp_size"]) * int(row["moe_ep_size"])  # 1 or 0 of a dense model
    if row["attention_dp_size"] not in {"", "1"} or parts not in {0, 1, run.tensor}:
        return "attention in data parallel"
    if not _holds(run):
        return "the cache does not hold the requests at once"
    if run.tpot < _least(run):
        return "faster than data sheets allow: no steady state, or FP8 cache"
    return ""


def run_of(row: dict[str, str]) -> Run:
    """Of a row of silicon_sample.csv."""
    return Run(
        system=row["system"],
        model=row["model_path"],
        precision=row["precision"],
        tensor=int(row["tp_size"]),
        expert=max(1, int(row["moe_ep_size"])),
        engine=row["backend_version"],
        prompt=int(row["isl"]),
        answer=int(row["osl"]),
        concurrency=int(row["batch_size"]),
        tpot=round(float(row["silicon_tpot_ms"]), 3),
    )


def estimated(run: Run) -> float:
    """Milliseconds between tokens, as the estimate has it."""
    (card,) = cards_named(run.product)
    limits = EngineLimits(run.tensor, run.concurrency, run.prompt)
    speed = speed_of(architecture_of(run.model, run.precision), limits, card.rates)
    cached = run.concurrency * (run.prompt + run.answer // 2)
    begun = run.concurrency * run.prompt / run.answer
    step = speed.decode.seconds(run.concurrency, cached) + begun / speed.prefill_tokens_per_second
    return 1000 * step


def error(run: Run) -> float:
    """Of the estimate, as a share of what was measured; above 0 when it is too slow."""
    return estimated(run) / run.tpot - 1


def _holds(run: Run) -> bool:
    architecture = architecture_of(run.model, run.precision)
    (card,) = cards_named(run.product)
    visible = visible_bytes(card.product, card.mebibytes * MIB, None)
    limits = EngineLimits(run.tensor, run.concurrency, 8192)
    fill = fill_gpu(architecture, limits, visible, _UTILIZATION)
    return fill.cache_bytes >= run.concurrency * (run.prompt + run.answer) * fill.bytes_per_token


def _least(run: Run) -> float:
    """Milliseconds at the rates of the data sheet: cache in 16 bits, and weights of dense models.

    Reading the weights and computing the prompts' tokens with them may go on at once.
    """
    (card,) = cards_named(run.product)
    one = architecture_of(run.model, run.precision)
    cached = run.concurrency * (run.prompt + run.answer // 2)
    read = cached * key_value_bytes_per_token(one, run.tensor) / card.rates.memory.value
    if one.experts is None:
        layer = 2 * one.head_dimension * (one.attention_heads + one.key_value_heads)
        weights = one.layers * one.hidden_size * (layer + 3 * one.intermediate_size)
        bits = {"": 16, "fp8": 8, "fp4": 4, "int4": 4}[run.precision]
        tokens = run.concurrency * run.prompt / run.answer
        read += max(
            weights * bits / 8 / run.tensor / card.rates.memory.value,
            2 * weights * tokens / run.tensor / card.rates.arithmetic(bits),
        )
    return 1000 * read


def read_table(path: Path = TABLE) -> list[Run]:
    """The committed runs."""
    lines = path.read_text(encoding="ascii").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [
        Run(
            row["system"],
            row["model"],
            row["precision"],
            int(row["tensor"]),
            int(row["expert"]),
            row["engine"],
            int(row["prompt"]),
            int(row["answer"]),
            int(row["concurrency"]),
            float(row["tpot"]),
        )
        for row in rows
    ]
