"""The replicas of one deployment as they are: their records, their pods, what was read of these."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from escadre.core.facts.model import ApprovedModel, Wish
from escadre.core.replicas.rollout import ReplicaView
from escadre.core.scaling.demand import Reading
from escadre.core.scaling.progress import Hung
from escadre.render.workload import WORKLOAD
from escadre.state.views import DeploymentView, PodView, ReplicaRecord

__all__ = ["Observed", "observe", "placed", "with_readings"]


@dataclass(frozen=True, slots=True)
class Observed:
    """A replica: its record, where it is and how it does."""

    record: ReplicaRecord
    node: str
    pod: PodView | None  # the one that counts: of today's template, not going away
    view: ReplicaView
    gone: bool = False  # its pod's node was deleted: nobody answers for what was said of it last
    hung: Hung | None = None


def observe(
    view: DeploymentView,
    records: Iterable[ReplicaRecord],
    pods: Sequence[PodView],
    model: ApprovedModel | None,
    platform: str,
    gone: frozenset[str],
) -> tuple[Observed, ...]:
    """Replicas in the order of their slots, as the objects tell; see `with_readings`.

    ``platform`` is core/replicas/inputs.py's `platform_text`. ``gone`` are nodes that were
    deleted: what their pods said last is not so any more.
    ``model`` is what the deployment's approval allows, also when it does not hold now; without
    one, what runs counts as current: there is nothing to compare it with.
    """
    wish = Wish.of(view.spec)
    found = []
    for record in records:
        if record.controller_uid != view.uid or record.slot is None:
            continue
        pod = next((one for one in pods if _counts(one, record)), None)
        one = _observed(record, record.slot, pod, _age(record, wish, model, platform))
        found.append(_on_gone_node(one) if pod and pod.node in gone else one)
    return tuple(sorted(found, key=lambda one: one.view.slot))


def with_readings(
    observed: tuple[Observed, ...], readings: Mapping[str, Reading], hung: Mapping[str, Hung]
) -> tuple[Observed, ...]:
    """The same replicas, with what was read of their engines: whether idle or hung, how busy."""
    return tuple(_with_reading(one, readings, hung) for one in observed)


def _with_reading(
    one: Observed, readings: Mapping[str, Reading], hung: Mapping[str, Hung]
) -> Observed:
    reading = readings.get(one.pod.uid) if one.pod else None
    if one.pod is None or reading is None:
        return one
    view = replace(one.view, idle=reading.idle, in_flight=reading.demand.requests)
    stands = hung.get(one.pod.uid) if view.state == "Ready" else None
    if stands is not None:
        view = replace(view, state="NotResponding", hung=True)
    return replace(one, view=view, hung=stands)


class _Age(NamedTuple):
    current: bool
    behind: bool


def _age(record: ReplicaRecord, wish: Wish, model: ApprovedModel | None, platform: str) -> _Age:
    inputs = record.inputs
    if inputs is None or model is None:
        return _Age(current=inputs is not None, behind=False)
    serves = inputs.serves(wish, model.manifest_digest, model.repository)
    follows = inputs.follows(platform)
    return _Age(current=serves and follows, behind=serves and not follows)


def _counts(pod: PodView, record: ReplicaRecord) -> bool:
    """Whether a pod is the replica as it is meant to be now.

    It belongs to the replica's object: a label alone proves nothing. Right after a replacement the
    pod of the old template is still there and Ready: it is not the replica on the new inputs.
    """
    if pod.slot != record.slot or not WORKLOAD.has_pod(record.name, pod.controller):
        return False
    if pod.terminating or pod.finished:
        return False
    return not pod.inputs or record.inputs_label in {None, pod.inputs}


def placed(pod: PodView | None) -> tuple[str, int, int | None, str, str] | None:
    """What planning sees of a pod; None for one that counts as no replica or is nowhere yet."""
    if pod is None or pod.terminating or pod.finished or not pod.node:
        return None
    return pod.node, pod.gpus, pod.slot, pod.controller, pod.inputs


def _observed(record: ReplicaRecord, slot: int, pod: PodView | None, age: _Age) -> Observed:
    view = ReplicaView(
        slot=slot,
        state=_state(pod),
        current=age.current,
        behind=age.behind,
        drain=record.drain,
        terminating=record.terminating,
        digest=record.inputs.manifest_digest if record.inputs else "",
        since=pod.placed if pod is not None and pod.placed else math.inf,
    )
    return Observed(record, (pod.node if pod else "") or record.planned_node, pod, view)


def _on_gone_node(one: Observed) -> Observed:
    """Nobody answers for a Ready that its kubelet gave."""
    state = "NotResponding" if one.view.state == "Ready" else one.view.state
    return replace(one, gone=True, view=replace(one.view, state=state))


def _state(
    pod: PodView | None,
) -> Literal["Pending", "Loading", "Ready", "NotResponding", "Failing"]:
    if pod is None:
        return "Pending"
    if pod.ready:
        return "Ready"
    if pod.failing:
        return "Failing"
    if pod.silence is not None:
        return "NotResponding"
    return "Loading" if pod.node else "Pending"
