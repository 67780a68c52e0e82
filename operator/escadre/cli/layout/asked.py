"""What `escadre layout estimate` is asked: numbers from the command line, checked. Pure."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Final

from escadre.api.approval import Architecture
from escadre.cli.layout.gpu import card_named
from escadre.cli.layout.model import LocalModel
from escadre.cli.shared.failures import BadInput
from escadre.core.engines.amounts import GIB, MIB
from escadre.core.engines.cards import Card, is_switched
from escadre.core.engines.gpu_memory import (
    CACHE_ELEMENT,
    batched_tokens,
    effective_utilization,
    visible_bytes,
)
from escadre.core.engines.limits import EngineLimits
from escadre.core.engines.speed import counted_bytes
from escadre.core.profile import EngineProfile

__all__ = [
    "CacheType",
    "Memory",
    "check_weights",
    "on_engine",
    "read_limits",
    "read_memory",
    "read_utilization",
    "read_weights",
]


class CacheType(StrEnum):
    """--kv-cache-dtype: those of which a number takes one or two bytes and nothing besides."""

    AUTO = "auto"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    FP8 = "fp8"
    FP8_E4M3 = "fp8_e4m3"
    FP8_E5M2 = "fp8_e5m2"

    @property
    def element_bytes(self) -> int:
        """Of one number in the cache."""
        return 1 if self.value.startswith("fp8") else CACHE_ELEMENT


_SMALLER: Final = 8  # times: two bits of sixteen, for a type may not be known
_DECIMAL: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?|\.[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class Memory:
    """What CUDA sees of one GPU, and the card if one was named."""

    visible_bytes: int
    card: Card | None
    notes: tuple[str, ...]


def read_memory(gpu: str | None, visible: str | None) -> Memory:
    """From --gpu or --visible-memory, exactly one of them."""
    if (gpu is None) == (visible is None):
        raise BadInput("give the GPU as --gpu PRODUCT or as --visible-memory GiB, one of the two")
    if visible is not None:
        gibibytes = _decimal(visible)
        if not gibibytes:
            said = "GiB as torch sees them, like 79.18, are meant"
            raise BadInput(f"--visible-memory {visible}: {said}")
        return Memory(int(gibibytes * GIB), None, ())
    named = card_named(gpu or "")
    seen = visible_bytes(named.card.product, named.card.mebibytes * MIB, None)
    return Memory(seen, named.card, (named.note,) if named.note else ())


def read_utilization(text: str, visible: int) -> tuple[Fraction, tuple[str, ...]]:
    """--gpu-memory-utilization, and a note where the operator would give less."""
    share = _decimal(text)
    if not 0 < share <= 1:
        said = "a share above 0, at most 1, in digits is meant, like 0.92"
        raise BadInput(f"--gpu-memory-utilization {text}: {said}")
    percent = int(share * 100)
    ours = effective_utilization(visible, percent)
    if ours == percent:
        return share, ()
    note = (
        f"the operator gives {ours / 100:.2f} on such a card: 2 GiB stay free for what vLLM does "
        "not foresee"
    )
    return share, (note,)


def read_limits(size: int, max_num_seqs: int, batched: int | None, visible: int) -> EngineLimits:
    """The engine's limits; --max-num-batched-tokens is what the operator would give, unless set."""
    if batched is not None and batched < max_num_seqs:
        raise BadInput(
            f"--max-num-batched-tokens {batched}: vLLM refuses less than --max-num-seqs, which is "
            f"{max_num_seqs}"
        )
    return EngineLimits(size, max_num_seqs, batched or batched_tokens(visible, max_num_seqs))


def on_engine(
    limits: EngineLimits, stages: int, profile: EngineProfile, card: Card | None
) -> EngineLimits:
    """The limits on a version of vLLM, in so many pipeline stages; cards not named count most."""
    return replace(
        limits,
        pipeline_parallel_size=stages,
        terms=profile.memory,
        switched=card is None or is_switched(card.product),
    )


def read_weights(model: LocalModel, given: int | None) -> int:
    """Bytes of the weights, of the files or as given."""
    if model.weight_bytes is None:
        if given is None:
            raise BadInput(
                "how many bytes the weights have is not in these files: give --weights-bytes, or "
                "as --config a folder with the weights or with their index"
            )
        return given
    if given is not None:
        raise BadInput(
            f"--weights-bytes {given}: the {model.weight_bytes:,} bytes of the model are known; "
            "leave the option out"
        )
    return model.weight_bytes


def check_weights(whole: Architecture) -> None:
    """Refuses as --weights-bytes what is a slip, e.g. gigabytes: no type makes a model so small."""
    counted = counted_bytes(whole)
    if whole.weight_bytes < counted // _SMALLER:
        raise BadInput(
            f"--weights-bytes {whole.weight_bytes}: the dimensions of the model make about "
            f"{counted:,} bytes; bytes are meant"
        )


def _decimal(text: str) -> Fraction:
    """What is no number in digits counts as 0, which nobody means."""
    return Fraction(text) if _DECIMAL.fullmatch(text) else Fraction(0)
