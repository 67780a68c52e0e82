"""Which replica is made anew because its engine hangs, while its health check holds. Pure.

That it hangs was proved before (core/scaling/progress.py, controller/stuck.py); here is how many
at once: one of a deployment, and none while another of its replicas is on its way. What it has in
flight is lost already. Asked by core/replicas/children.py for the rollout.
"""

from collections.abc import Iterable, Sequence

from escadre.core.replicas.rollout import ReplicaView, Target

__all__ = ["made_anew"]


def made_anew(replicas: Iterable[ReplicaView], targets: Sequence[Target]) -> int | None:
    """Its slot; an outdated one is replaced as such, and one that is to leave leaves."""
    wanted = {target.slot: target for target in targets}
    kept = [one for one in replicas if one.slot in wanted]
    if any(one.terminating or (one.state != "Ready" and not one.hung) for one in kept):
        return None
    hung = (one.slot for one in kept if one.hung and one.current and _has_place(wanted[one.slot]))
    return min(hung, default=None)


def _has_place(target: Target) -> bool:
    return target.node is not None and target.weights_verified
