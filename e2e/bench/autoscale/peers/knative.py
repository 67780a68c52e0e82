"""Knative's pod autoscaler (knative.dev/serving v0.44.0) on the concurrency of its pods.

The parameters are annotations of a revision, or keys of the ConfigMap config-autoscaler where it
has no annotation for them; upstream reads and checks them. It is fed each second, as Knative
scrapes, and decides each two.
"""

from dataclasses import dataclass
from typing import Any, Final

from e2e.bench.autoscale.peers.asked import Asked, Place, Values
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Sight

__all__ = ["KNATIVE_SPACE", "Knative"]

_GROUP: Final = "autoscaling.knative.dev"
_SCRAPE: Final = 1.0  # seconds
_DECIDES: Final = 2.0

KNATIVE_SPACE: Final[Values] = {
    "target": (4.0, 8.0, 16.0, 32.0, 64.0, 100.0, 160.0, 256.0, 400.0),
    "window": (30, 60, 120, 300, 900),
    "panic_window": (5.0, 10.0, 25.0),
    "panic_threshold": (110.0, 150.0, 200.0, 400.0, 1000.0),
    "scale_down_delay": (0, 120, 300, 900, 1800),
    "max_scale_up_rate": (1.5, 2.0, 1000.0),
}


@dataclass(frozen=True, slots=True)
class Knative:
    """One setting.

    Args:
        target: requests a replica is to hold, before ``utilization``: with both defaults it is 70.
        utilization: percent of the target that is aimed at.
        window: seconds of the stable window.
        panic_window: percent of it that is the panic window.
        panic_threshold: percent of what the ready replicas are to hold that begins a panic.
        scale_down_delay: seconds that less must have been wanted.
        max_scale_up_rate: how many times the ready replicas may be wanted at once.
        max_scale_down_rate: by what the ready replicas may be divided at once.
    """

    target: float = 100.0
    utilization: float = 70.0
    window: int = 60
    panic_window: float = 10.0
    panic_threshold: float = 200.0
    scale_down_delay: int = 0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0

    def policy(self, place: Place) -> Asked:
        """A fresh autoscaler of a revision."""
        settings = self.settings(place.bounds)
        return Asked(place.peers, "kpa", settings, _SCRAPE, Sight(_SCRAPE), decides=_DECIDES)

    def settings(self, bounds: Bounds) -> dict[str, Any]:
        """As it is written for Knative."""
        return {
            "config": {
                "max-scale-up-rate": str(self.max_scale_up_rate),
                "max-scale-down-rate": str(self.max_scale_down_rate),
            },
            "annotations": {
                f"{_GROUP}/min-scale": str(bounds.minimum),
                f"{_GROUP}/max-scale": str(bounds.maximum),
                f"{_GROUP}/target": str(self.target),
                f"{_GROUP}/target-utilization-percentage": str(self.utilization),
                f"{_GROUP}/window": f"{self.window}s",
                f"{_GROUP}/panic-window-percentage": str(self.panic_window),
                f"{_GROUP}/panic-threshold-percentage": str(self.panic_threshold),
                f"{_GROUP}/scale-down-delay": f"{self.scale_down_delay}s",
            },
        }
