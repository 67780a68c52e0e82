"""The horizontal controller of Kubernetes v1.36.3, alone and as KEDA 2.21 drives it.

The parameters become the spec of a HorizontalPodAutoscaler, which upstream fills with its defaults.
Its metric is one of vLLM's, read at each sync (15 s) as fresh as a scrape each 15 s in step with it
brings it, which is the best that it can have. It starts with the queue and 5 requests a replica, as
the guides of GKE and of vLLM's production stack do; the API itself has no default.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from typing_extensions import override

from e2e.bench.autoscale.peers.asked import Asked, Place, Values
from escadre.core.scaling.step import Bounds
from escadre.core.simulation.deciding import Sight

__all__ = ["HORIZONTAL_SPACE", "KEDA_SPACE", "Horizontal", "Keda", "Kind", "Signal"]

Signal = Literal["running", "waiting", "requests", "cache", "given"]
# pods: each pod's own, with the rules for pods that are not ready or tell nothing. average: the sum
# over the target, absolute. value: the mean over the target, times the ready pods.
Kind = Literal["pods", "average", "value"]

SYNC: Final = 15.0

HORIZONTAL_SPACE: Final[Values] = {
    "signal": ("waiting", "requests"),
    "kind": ("pods", "average", "value"),
    "target": (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 64.0, 96.0, 128.0, 192.0, 256.0),
    "tolerance": (0.0, 0.05, 0.1, 0.2),
    "up_window": (0, 30, 60, 180),
    "down_window": (0, 60, 300, 600, 1200, 1800),
    "down_percent": (10, 50, 100),
    "down_period": (15, 60, 300),
}
# KEDA's scaler for Prometheus has one series, so no metric of each pod.
KEDA_SPACE: Final[Values] = {**HORIZONTAL_SPACE, "kind": ("average", "value")}


@dataclass(frozen=True, slots=True)
class Horizontal:
    """One setting; a target of 0.8 of the cache is 0.8.

    Args:
        signal: what of a replica is measured.
        kind: how the controller is given it.
        target: of a replica.
        tolerance: share by which it may be off without a change, both ways.
        up_window: seconds of stabilisation before more; ``down_window`` before less.
        up_percent: of the replicas that may come within ``up_period`` seconds, or ``up_pods`` of
            them, whichever is more.
        down_percent: of the replicas that may go within ``down_period`` seconds.
    """

    signal: Signal = "waiting"
    kind: Kind = "pods"
    target: float = 5.0
    tolerance: float = 0.1
    up_window: int = 0
    down_window: int = 300
    up_percent: int = 100
    up_pods: int = 4
    up_period: int = 15
    down_percent: int = 100
    down_period: int = 15

    def policy(self, place: Place) -> Asked:
        """A fresh controller."""
        return Asked(place.peers, "hpa", self.settings(place.bounds), SYNC, Sight(SYNC))

    def settings(self, bounds: Bounds) -> dict[str, Any]:
        """A spec; without ``behavior`` where all of it is as it would be without."""
        spec: dict[str, Any] = {
            "minReplicas": max(1, bounds.minimum),
            "maxReplicas": bounds.maximum,
            "metrics": [self._metric()],
        }
        if self._behaves:
            spec["behavior"] = self._behavior()
        return {"spec": spec, "signal": self.signal, "mean": self.kind == "value"}

    @property
    def _behaves(self) -> bool:
        free = {"signal", "kind", "target"}
        own = [one for one in fields(Horizontal) if one.name not in free]
        return any(getattr(self, one.name) != one.default for one in own)

    def _metric(self) -> dict[str, Any]:
        target = f"{round(self.target * 1000)}m"
        metric = {"name": f"vllm_{self.signal}"}
        if self.kind == "pods":
            average = {"type": "AverageValue", "averageValue": target}
            return {"type": "Pods", "pods": {"metric": metric, "target": average}}
        wanted = {"type": "AverageValue", "averageValue": target}
        if self.kind == "value":
            wanted = {"type": "Value", "value": target}
        return {"type": "External", "external": {"metric": metric, "target": wanted}}

    def _behavior(self) -> dict[str, Any]:
        tolerance = f"{round(self.tolerance * 1000)}m"
        up, down = self.up_period, self.down_period
        return {
            "scaleUp": {
                "stabilizationWindowSeconds": self.up_window,
                "tolerance": tolerance,
                "policies": [
                    {"type": "Pods", "value": self.up_pods, "periodSeconds": up},
                    {"type": "Percent", "value": self.up_percent, "periodSeconds": up},
                ],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": self.down_window,
                "tolerance": tolerance,
                "policies": [
                    {"type": "Percent", "value": self.down_percent, "periodSeconds": down},
                ],
            },
        }


@dataclass(frozen=True, slots=True)
class Keda(Horizontal):
    """One setting of a ScaledObject with one trigger, beside the autoscaler that KEDA makes.

    Args:
        polling: seconds between two looks at whether the trigger is active.
        cooldown: seconds without one that was, before the last replica goes; only to 0.
        activation: what the metric must exceed for it to be.
    """

    kind: Kind = "average"
    polling: float = 30.0
    cooldown: float = 300.0
    activation: float = 0.0

    @override
    def policy(self, place: Place) -> Asked:
        """A fresh ScaledObject."""
        return Asked(place.peers, "keda", self.settings(place.bounds), SYNC, Sight(SYNC))

    @override
    def settings(self, bounds: Bounds) -> dict[str, Any]:
        """Those of the autoscaler, and KEDA's own."""
        inner = Horizontal.settings(self, bounds)
        own = {"pollingSeconds": self.polling, "cooldownSeconds": self.cooldown}
        own |= {"activationThreshold": self.activation, "minReplicas": bounds.minimum}
        return inner | own
