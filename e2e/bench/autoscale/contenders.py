"""Who decides: this build, with and without what it learns, 0.1.0, the peers, and what bounds them.

All have minReplicas among their settings, and the same maxReplicas, traffic, routes, loads and
drains.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from e2e.bench.autoscale.before import before
from e2e.bench.autoscale.contender import Contender
from e2e.bench.autoscale.oracle import clairvoyant
from e2e.bench.autoscale.ours import escadre
from e2e.bench.autoscale.peered import asked, standing
from e2e.bench.autoscale.peers.asked import Contender as Peer
from e2e.bench.autoscale.peers.knative import KNATIVE_SPACE, Knative
from e2e.bench.autoscale.peers.kubernetes import HORIZONTAL_SPACE, Horizontal, Keda
from e2e.bench.autoscale.peers.wva import WVA_SPACE, WorkloadVariant
from e2e.bench.autoscale.scenarios import LEVELS, TARGET

__all__ = ["CONTENDERS"]

_MINIMA: Final = (1, 2, 3, 4, 5, 6, 8)
_STABLE: Final = (60, 180, 300)
_FIXED: Final = {"minReplicas": _MINIMA, "target": (4, 8, 12, 16, 24, 30), "stable": _STABLE}
_HPA: Final = {
    "signal": ("waiting", "requests"),
    "target": (2.0, 5.0, 10.0, 20.0, 40.0),
    "down_window": (60, 300, 1200),
}
# Seconds: the longest window of their settings is 1,200; who has none only begins with some load.
_WINDOWS: Final = 1500.0
_NONE: Final = 600.0
_OURS: Final = ("operator/escadre/core/scaling", "e2e/bench/autoscale/ours.py")
_PEERS: Final = ("e2e/bench/autoscale/peers", "e2e/bench/autoscale/peered.py")


def _peer(name: str, peer: Peer, tuned: Mapping[str, Sequence[Any]], **default: Any) -> Contender:
    """What of a peer is tuned, of all that it could be: with few trials more would find less."""
    space = {"minReplicas": _MINIMA, **tuned}
    return Contender(
        name, "peer", {"minReplicas": 1, **default}, space, asked(peer), _PEERS, _WINDOWS
    )


CONTENDERS: Final = (
    Contender(
        "escadre",
        "ours",
        {
            "minReplicas": 1,
            "objective": LEVELS[0].name,
            "percentile": 95,
        },
        {
            "minReplicas": _MINIMA[:-1],
            "objective": [level.name for level in LEVELS],
            "percentile": (50, 70, 85, 90, 92, 95),
        },
        escadre,
        _OURS,
    ),
    Contender(
        "escadre, fixed target",
        "ours",
        {"minReplicas": 1, "target": TARGET, "stable": 300},
        _FIXED,
        escadre,
        _OURS,
    ),
    Contender(
        "0.1.0",
        "ours",
        {"minReplicas": 1, "target": TARGET, "stable": 300},
        _FIXED,
        before,
        ("e2e/bench/autoscale/before.py",),
        _WINDOWS,
    ),
    _peer(
        "HPA, AverageValue",
        Peer("hpa", Horizontal(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("pods", "average")},
        kind="pods",
    ),
    _peer(
        "HPA, Value",
        Peer("hpa", Horizontal(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("value",)},
        kind="value",
    ),
    _peer(
        "KEDA",
        Peer("keda", Keda(), HORIZONTAL_SPACE),
        {**_HPA, "kind": ("average", "value")},
        kind="average",
    ),
    _peer(
        "KPA",
        Peer("kpa", Knative(), KNATIVE_SPACE),
        {
            "target": (4.0, 8.0, 16.0, 32.0, 64.0, 100.0),
            "window": (30, 60, 300),
            "scale_down_delay": (0, 120, 300, 900),
        },
    ),
    _peer(
        "WVA V2",
        Peer("wva", WorkloadVariant(), WVA_SPACE),
        {
            "scale_up": (0.5, 0.7, 0.85),
            "scale_down": (0.3, 0.5, 0.7),
            "up_window": (0, 30, 240),
            "down_window": (60, 240, 600),
        },
    ),
    Contender(
        "static",
        "peer",
        {"minReplicas": 64},
        {"minReplicas": tuple(range(1, 16))},
        standing,
        _PEERS[1:],
        _NONE,
    ),
    Contender(
        "clairvoyant",
        "bound",
        {"minReplicas": 1, "window": 20, "use": 0.6, "ahead": 1.4},
        {
            "minReplicas": (1,),
            "window": (5, 20, 60),
            "use": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
            "ahead": (1.2, 1.5),
        },
        clairvoyant,
        memory=_NONE,
    ),
)
