"""Which weights each node is told to pull, from which mirror, and which pulls wait.

core/fleet/plan.py calls it with the needs of all deployments in order of precedence. A pull once
admitted stays admitted; at most ``maxConcurrentPulls`` nodes pull from a mirror. A pull that
failed, and one whose agent is not ready, frees its place but stays wanted: the agent tries again by
itself. After a failure that another mirror could mend, the next mirror that exists is taken.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from escadre import reasons
from escadre.api.deployment import WeightsOnNode
from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.api.progress import Progress
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import NodeFacts, WeightState
from escadre.core.fleet.mirrorload import MirrorLoad, Place
from escadre.core.fleet.wants import MAX_MIRRORS, Wants
from escadre.core.listing import listed
from escadre.names import short_digest
from escadre.reasons import Reason

__all__ = ["Need", "Place", "PullPlan", "plan_pulls"]

_NAMED: Final = 2  # pulls that a waiting one names, and deployments of each


Owners = Mapping[Place, AbstractSet[DeploymentKey]]


class Need(NamedTuple):
    """A deployment's replica needs its model's weights on a node."""

    place: Place
    model: ApprovedModel
    whose: DeploymentKey


@dataclass(frozen=True, slots=True)
class PullPlan:
    """Weights and mirrors of every node's GPUNode.spec, and the state of each need."""

    wanted: Mapping[str, tuple[WantedWeights, ...]]
    mirrors: Mapping[str, tuple[MirrorSource, ...]]
    states: Mapping[Place, WeightsOnNode]


class _Pulls:
    """One pass: entries decided so far, and the nodes that pull from each mirror."""

    def __init__(
        self,
        nodes: Mapping[str, NodeFacts],
        mirrors: Mapping[str, MirrorSource],
        invalid: Mapping[str, str],
        owners: Owners,
    ) -> None:
        self.nodes = nodes
        self.mirrors = mirrors
        self.invalid = invalid
        self.owners = owners
        self.wants = Wants(nodes, mirrors)
        self.waiting: dict[Place, tuple[Reason, str]] = {}
        self._load = MirrorLoad()

    def keep(self, place: Place, entry: WantedWeights) -> None:
        """The entry stays; its node counts while it pulls."""
        name = self.wants.put(place, entry).mirror_name
        if name is not None and self._pulls(place, name):
            self._load.add(name, place, counted=True)

    def choose_mirror(self, place: Place, model: ApprovedModel) -> str | None:
        """The mirror of today's entry, the next one after a failure, the first one anew."""
        existing = [name for name in model.mirrors if name in self.mirrors]
        entry = self.wants.before.get(place)
        if entry is None or entry.mirror_name not in existing:
            return existing[0] if existing else None
        state = self.nodes[place.node].weights.get(place.digest)
        if (
            state is not None
            and state.state == "Failed"
            and state.mirror == entry.mirror_name
            and state.reason is not None
            and state.reason.elsewhere
        ):
            return existing[(existing.index(entry.mirror_name) + 1) % len(existing)]
        return entry.mirror_name

    def _no_mirror(self, model: ApprovedModel) -> tuple[Reason, str]:
        """Why nothing can be pulled: no mirror is there, or those that are cannot be read."""
        broken = [name for name in model.mirrors if name in self.invalid]
        if broken:
            words = "; ".join(f"ModelMirror {name}: {self.invalid[name]}" for name in broken)
            return reasons.MIRROR_INVALID, words
        names = ", ".join(model.mirrors)
        return reasons.MIRROR_NOT_FOUND, f"none of the approval's ModelMirrors exists: {names}"

    def admit(self, place: Place, model: ApprovedModel, mirror: str | None) -> None:
        """A new entry, if there is a mirror with a free place; else what is waited for."""
        node = self.nodes[place.node]
        verified = place.digest in node.verified
        if mirror is None:
            if not verified or place in self.wants.before:
                self._wait(place, *self._no_mirror(model))
        elif not verified and node.unbelieved is not None:
            self._wait(place, node.unbelieved.reason, node.unbelieved.message)
        elif not verified and not self._has_room(mirror, place.node):
            limit = self.mirrors[mirror].max_concurrent_pulls
            message = (
                f"waits for a free pull of ModelMirror {mirror}, whose maxConcurrentPulls is "
                f"{limit}: {self._pulling(mirror)}"
            )
            self._wait(place, reasons.PULL_QUEUED, message)
        elif not self.wants.has_place(mirror, place.node):
            message = (
                f"waits to be told of ModelMirror {mirror}: the weights of node {place.node} name "
                f"{MAX_MIRRORS} mirrors already, the most that a GPUNode holds"
            )
            self._wait(place, reasons.PULL_QUEUED, message)
        else:
            self.wants.put(place, self.wants.entry(place, model, mirror))
            if not verified:
                self._load.add(mirror, place, counted=self._pulls(place, mirror))

    def _wait(self, place: Place, reason: Reason, message: str) -> None:
        """Waits for a pull; an entry of before stays as it is, it is still wanted."""
        now = self.wants.before.get(place)
        if now is not None:
            self.keep(place, now)
        else:
            self.waiting[place] = (reason, message)

    def _pulling(self, mirror: str) -> str:
        """Whose pulls a mirror is busy with, some by name."""
        pulling = self._load.pulling(mirror)
        told = [
            f"node {place.node} pulls {short_digest(place.digest)} of ModelApproval "
            f"{self.wants.entries[place].approval}{self.whose(place)}"
            for place in pulling[:_NAMED]
        ]
        return listed(told, _NAMED, whole=len(pulling))

    def whose(self, place: Place) -> str:
        """`` for ModelDeployment a/b``: whoever waits for a pull asks who goes first."""
        names = [f"{one.namespace}/{one.name}" for one in sorted(self.owners.get(place, ()))]
        return f" for ModelDeployment {listed(names, _NAMED)}" if names else ""

    def _has_room(self, mirror: str, node: str) -> bool:
        return self._load.has_room(mirror, node, self.mirrors[mirror].max_concurrent_pulls)

    def _pulls(self, place: Place, mirror: str) -> bool:
        """Whether a wanted entry counts: neither done nor failed, and its agent at work."""
        node = self.nodes[place.node]
        if place.digest in node.verified or not node.agent_ready:
            return False
        state = node.weights.get(place.digest)
        if state is None or state.state == "Pulling":
            return True
        # A failure on the mirror before is no failure on this one.
        return state.state == "Failed" and state.mirror not in (None, mirror)


def plan_pulls(
    nodes: Mapping[str, NodeFacts],
    mirrors: Mapping[str, MirrorSource],
    needs: Sequence[Need],
    held: Owners,
    invalid: Mapping[str, str] = MappingProxyType({}),
) -> PullPlan:
    """Entries for all needs in their order; ``held`` are places where replicas exist already.

    ``invalid`` says of mirrors that cannot be read why not.
    An entry of now stays while a need or a replica holds it, also when no approval holds any more.
    """
    pulls = _Pulls(nodes, mirrors, invalid, _owners(needs, held))
    models: dict[Place, ApprovedModel] = {}
    for need in needs:
        if need.place.node in nodes:
            models[need.place] = _preferred(pulls, need, models.get(need.place))
    others = [place for place in sorted(held) if place.node in nodes and place not in models]
    for place in others:
        now = pulls.wants.before.get(place)
        if now is not None:
            pulls.keep(place, now)
    rest: list[tuple[Place, ApprovedModel, str | None]] = []
    for place, model in models.items():
        mirror = pulls.choose_mirror(place, model)
        now = pulls.wants.before.get(place)
        if now is not None and mirror is not None and mirror == now.mirror_name:
            pulls.keep(place, pulls.wants.entry(place, model, mirror))
        else:
            rest.append((place, model, mirror))
    for place, model, mirror in rest:
        pulls.admit(place, model, mirror)
    states = {place: _state(pulls, place, model.file_bytes) for place, model in models.items()}
    states.update((place, _state(pulls, place, _recorded_bytes(pulls, place))) for place in others)
    return PullPlan(pulls.wants.weights, pulls.wants.mirrors, states)


def _owners(needs: Sequence[Need], held: Owners) -> Owners:
    """The deployments that need or hold the weights of each place."""
    owners = {place: set(keys) for place, keys in held.items()}
    for need in needs:
        owners.setdefault(need.place, set()).add(need.whose)
    return owners


def _preferred(pulls: _Pulls, need: Need, other: ApprovedModel | None) -> ApprovedModel:
    """Two approvals may allow the same bytes: today's stays, else the first by name."""
    if other is None:
        return need.model
    now = pulls.wants.before.get(need.place)
    pair = (other, need.model)
    if now is not None:
        for model in pair:
            if model.approval == now.approval:
                return model
    return min(pair, key=lambda model: model.approval)


def _recorded_bytes(pulls: _Pulls, place: Place) -> int:
    """Size of weights that no approval speaks for any more, as far as it is known."""
    entry = pulls.wants.entries.get(place)
    state = pulls.nodes[place.node].weights.get(place.digest)
    if entry is not None:
        return entry.bytes
    return state.progress.bytes_total if state is not None else 0


def _state(pulls: _Pulls, place: Place, total: int) -> WeightsOnNode:
    node = pulls.nodes[place.node]
    common = {"node": place.node, "manifest_digest": place.digest}
    if place.digest in node.verified:
        here = Progress(bytes_done=total, bytes_total=total)
        return WeightsOnNode(**common, state="Verified", **here.numbers())
    nothing = Progress(bytes_total=total).numbers()
    if place in pulls.waiting:
        why, words = pulls.waiting[place]
        return WeightsOnNode(**common, state="Queued", **nothing, reason=why, message=words)
    entry = pulls.wants.entries.get(place)
    mirror = None if entry is None else entry.mirror_name
    state = node.weights.get(place.digest)
    if state is None or state.state == "Verified":
        silent = node.unbelieved
        reason, message = (silent.reason, silent.message) if silent else (None, "")
        return WeightsOnNode(
            **common, state="Wanted", **nothing, mirror=mirror, reason=reason, message=message
        )
    return WeightsOnNode(
        **common,
        state=state.state,
        **{**state.progress.numbers(), "bytes_total": state.progress.bytes_total or total},
        mirror=state.mirror or mirror,
        reason=state.reason,
        message=_words(pulls, place.node, state),
    )


def _words(pulls: _Pulls, node: str, state: WeightState) -> str:
    """The agent's words; it knows of approvals alone, and so not whose pull goes first."""
    first = pulls.whose(Place(node, state.behind)) if state.behind and state.message else ""
    return f"{state.message}{first}"
