"""A replica as its ModelDeployment's status tells of it, from the objects that know. No I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from escadre import reasons
from escadre.core.approvals.verdict import iso
from escadre.core.engines.lastanswer import LEAST_SECONDS
from escadre.core.facts.model import ApprovedModel
from escadre.core.replicas.silence import words
from escadre.core.scaling.progress import told_hung
from escadre.core.status.facts import LeavingClaim, ReplicaLine
from escadre.core.status.told import Told
from escadre.core.status.unplaced import held_until, late_at, missing_at
from escadre.names import LABEL_DEPLOYMENT, PVC_PROTECTION, claim_name
from escadre.settings import Settings
from escadre.state.caches import Caches
from escadre.state.observe import Observed
from escadre.state.served import made_of
from escadre.state.views import PodView

__all__ = ["STARTED_SECONDS", "deadlines", "line_of", "patience_of"]

# Beyond the drain of a pod that leaves its GPUs: what binding, mounting and the scheduler take. An
# answer that takes longer than that still is told as what it is for others: no GPUs yet.
_SLACK_SECONDS: Final = 60.0
# How long a node may take to begin an engine: an image of 20 GB at 11 MB/s. What hinders it for
# longer (a mount, a device, a sandbox) only the events of the pod tell.
STARTED_SECONDS: Final = 1800.0


def patience_of(settings: Settings) -> float:
    """How many seconds a pod with its weights may wait for a node."""
    return (settings.engine.drain_seconds or LEAST_SECONDS) + _SLACK_SECONDS


def line_of(one: Observed, caches: Caches, model: ApprovedModel | None, now: float) -> ReplicaLine:
    """``model`` is what the deployment's approval describes; ``now`` in seconds."""
    layout = one.record.layout
    line = ReplicaLine(
        one.record.name,
        one.node,
        one.view,
        "",
        made_of(one, model, caches.approvals),
        layout.gpus if layout else None,
        since=one.pod.created if one.pod else None,
    )
    pod = one.pod
    if one.view.state == "Pending":
        line = replace(line, claim=_leaving(one, caches))
    if pod is None:
        return _unmade(line, one.record.refused)
    if one.view.state == "Ready":
        return line
    if one.hung is not None:
        return replace(line, message=told_hung(one.hung), hindered=reasons.ENGINE_HUNG)
    lost = _lost(pod, caches, gone=one.gone)
    if lost:
        view = replace(one.view, state="NotResponding")
        return replace(line, view=view, message=lost, hindered=reasons.NODE_LOST)
    if one.view.state == "NotResponding" and pod.silence is not None:
        late = now >= pod.silence.overdue_at
        view = replace(one.view, state="Failing") if late else one.view
        return replace(line, view=view, message=words(pod.silence, now))
    end = _start_ends(pod)
    if end is not None and now >= end:
        view = replace(one.view, state="Failing")
        message = (
            f"is not started by its node {pod.node} since {iso(pod.placed)}: {pod.unstarted}; "
            "kubectl describe pod names what it waits for"
        )
        return replace(line, view=view, message=message)
    return replace(line, message=pod.failing or pod.unscheduled)


def deadlines(
    observed: Iterable[Observed], caches: Caches, told: Told, patience: float
) -> Iterator[float]:
    """When waiting ends that nobody else tells the end of, in seconds since the epoch."""
    for one in observed:
        pod = one.pod
        if pod is not None and pod.node:
            silent = pod.silence.overdue_at if pod.silence else None
            ends = [_start_ends(pod), silent, caches.gone.unseen_until(pod)]
        else:
            ends = [held_until(_leaving(one, caches), patience), _waits(one, told, patience)]
        yield from (end for end in ends if end is not None)


def _waits(one: Observed, told: Told, patience: float) -> float | None:
    if one.pod is not None:
        return late_at(told, one.pod.created, patience)
    return None if one.record.refused else missing_at(told, patience)


def _leaving(one: Observed, caches: Caches) -> LeavingClaim | None:
    """The claim that a replica mounts, if deleted. Kubernetes' own finalizer the pass takes off."""
    record, digest = one.record, one.view.digest
    name = claim_name(record.labels.get(LABEL_DEPLOYMENT, ""), digest) if digest else ""
    claim = caches.claims.get(name, record.namespace) if name else None
    if claim is None or not claim.terminating:
        return None
    others = tuple(each for each in claim.held if each != PVC_PROTECTION)
    return LeavingClaim(claim.name, claim.deleted, others)


def _unmade(line: ReplicaLine, refused: str) -> ReplicaLine:
    if refused:
        return replace(line, message=refused, hindered=reasons.POD_REFUSED)
    return replace(line, hindered=reasons.POD_MISSING)  # for the time being: see unplaced


def _start_ends(pod: PodView) -> float | None:
    if not pod.placed or not pod.unstarted or pod.ready or pod.failing:
        return None
    return pod.placed + STARTED_SECONDS


def _lost(pod: PodView, caches: Caches, *, gone: bool) -> str:
    """What became of the pod's node, "" while that is Ready or the pod has none."""
    if gone:
        return f"node {pod.node} does not exist any more"
    node = caches.nodes.get(pod.node)
    if node is None or node.lost_since is None:
        return ""
    return f"node {pod.node} is not Ready since {iso(node.lost_since)}"
