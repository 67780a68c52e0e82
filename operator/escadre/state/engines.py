"""Which versions of vLLM the replicas of a deployment say they are. No I/O.

controller/engineversions.py asked them; here is whose word it is, and whether it counts: that of
replicas on today's inputs, since another image on its way replaces the others.
"""

from collections.abc import Mapping, Sequence

from escadre.core.profile import Profiled
from escadre.core.status.engine import EngineSeen
from escadre.state.observe import Observed

__all__ = ["engine_seen"]


def engine_seen(
    observed: Sequence[Observed], versions: Mapping[str, str], judged: Profiled
) -> EngineSeen:
    """``versions`` are by pod uid, "" of an engine that says none."""
    ready = [
        (one.record.name, one.pod.uid)
        for one in observed
        if one.pod is not None and one.view.state == "Ready" and one.view.current
    ]
    told = tuple((name, said) for name, uid in ready if (said := versions.get(uid)))
    return EngineSeen(judged, told, any(uid not in versions for _, uid in ready))
