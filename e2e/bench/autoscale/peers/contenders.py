"""The peers of the benchmark, in the order of its tables: at defaults, and how they are tuned.

Escadre's own policies, and that of 0.1.0, are beside this folder.
"""

from typing import Final

from e2e.bench.autoscale.peers.asked import Contender
from e2e.bench.autoscale.peers.knative import KNATIVE_SPACE, Knative
from e2e.bench.autoscale.peers.kubernetes import HORIZONTAL_SPACE, KEDA_SPACE, Horizontal, Keda
from e2e.bench.autoscale.peers.static import STATIC_SPACE, Static
from e2e.bench.autoscale.peers.wva import WVA_SPACE, WorkloadVariant

__all__ = ["CONTENDERS"]

CONTENDERS: Final = (
    Contender("knative-kpa", Knative(), KNATIVE_SPACE),
    Contender("kubernetes-hpa", Horizontal(), HORIZONTAL_SPACE),
    Contender("keda", Keda(), KEDA_SPACE),
    Contender("llm-d-wva", WorkloadVariant(), WVA_SPACE),
    Contender("static", Static(), STATIC_SPACE),
)
