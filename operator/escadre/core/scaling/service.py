"""What scaling is given of a replica beside its demand: what it promises, how fast it should be.

state/ and cli/simulate make these from spec, layout and what loads took; core/scaling decides on
them. Pure data.
"""

import math
from dataclasses import dataclass
from typing import Final

from escadre.core.engines.speed import Speed

__all__ = ["LoadTime", "Prior", "Service", "ServiceLevel"]

_NEARLY_ALL: Final = 3.0  # times the median
_LATER: Final = 60.0  # seconds after it at least


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """How fast answers are to be; the defaults are MLPerf's for a large chat model on a server.

    Args:
        time_to_first_token: seconds.
        inter_token_latency: seconds between two tokens, on the mean of a request.
        share: of the requests, those that are to have both; the rest may wait longer. More than 0,
            less than 1.
    """

    time_to_first_token: float = 2.0
    inter_token_latency: float = 0.2
    share: float = 0.95


@dataclass(frozen=True, slots=True)
class Prior:
    """What a replica should be able to do, by the estimate of its speed and by its layout.

    Args:
        speed: core/engines/speed.py's.
        cache_tokens: that its key-value cache holds.
        max_num_seqs: requests in one batch.
        max_model_len: tokens of prompt and answer together that no request passes.
    """

    speed: Speed
    cache_tokens: int
    max_num_seqs: int
    max_model_len: float = math.inf


@dataclass(frozen=True, slots=True)
class LoadTime:
    """Seconds from the decision to a ready replica.

    Args:
        median: what half of the loads do not pass.
        nearly_all: what only a load passes that is overdue.
    """

    median: float = 120.0
    nearly_all: float = 600.0

    @staticmethod
    def about(median: float) -> "LoadTime":
        """Of loads whose median is known, and no more."""
        return LoadTime(median, max(_NEARLY_ALL * median, median + _LATER))


@dataclass(frozen=True, slots=True)
class Service:
    """All three; ``level`` and ``load`` have defaults.

    ``key`` names the kind of replica, all that makes it as fast as it is: what was learned of one
    is true of others of the same key.
    """

    prior: Prior
    level: ServiceLevel = ServiceLevel()
    load: LoadTime = LoadTime()
    key: str = ""
