"""Which weights each node is told to pull, from which mirror, and which pulls wait.

core/fleet/plan.py calls it with the needs of all deployments in order of precedence. A pull once
admitted stays admitted; at most ``maxConcurrentPulls`` nodes pull from a mirror. A pull that
failed, and one whose agent is not ready, frees its place but stays wanted: the agent tries again by
itself. After a failure that another mirror could mend, the next mirror that exists is taken.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from escadre import reasons
from escadre.api.deployment import WeightsOnNode
from escadre.api.gpunode import WantedWeights
from escadre.api.progress import Progress
from escadre.core.facts.fleet import FleetSnapshot
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import WeightState
from escadre.core.fleet.ground import Ground
from escadre.core.fleet.mirrorload import MirrorLoad, Place
from escadre.core.fleet.needs import Need
from escadre.core.fleet.pullplan import Owners, PullPlan
from escadre.core.fleet.wants import MAX_MIRRORS, Wants
from escadre.core.listing import listed
from escadre.names import short_digest
from escadre.reasons import Reason

__all__ = ["plan_pulls"]

_NAMED: Final = 2  # pulls that a waiting one names, and deployments of each


class _Pulls:
    """One pass: entries decided so far, and the nodes that pull from each mirror."""

    def __init__(
        self, ground: Ground, snapshot: FleetSnapshot, owners: Owners, others: PullPlan
    ) -> None:
        self.nodes = ground.nodes
        self.mirrors = snapshot.mirrors
        self.invalid = snapshot.invalid_mirrors
        self.owners = owners
        self.wants = Wants(ground.nodes, snapshot.mirrors, ground.wanted)
        self.waiting: dict[Place, tuple[Reason, str]] = {}
        self.pulling: dict[Place, WantedWeights] = {}
        self._load = MirrorLoad()
        for place, entry in others.pulling.items():
            self._pull(place, entry, entry.mirror_name or "", counted=True)

    def keep(self, place: Place, entry: WantedWeights) -> None:
        """The entry stays; its node counts while it pulls."""
        entry = self.wants.put(place, entry)
        name = entry.mirror_name
        if name is not None and self._pulls(place, name):
            self._pull(place, entry, name, counted=True)

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
            entry = self.wants.put(place, self.wants.entry(place, model, mirror))
            if not verified:
                self._pull(place, entry, mirror, counted=self._pulls(place, mirror))

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
            f"{self.pulling[place].approval}{self.whose(place)}"
            for place in pulling[:_NAMED]
        ]
        return listed(told, _NAMED, whole=len(pulling))

    def whose(self, place: Place) -> str:
        """`` for ModelDeployment a/b``: whoever waits for a pull asks who goes first."""
        names = [f"{one.namespace}/{one.name}" for one in sorted(self.owners.get(place, ()))]
        return f" for ModelDeployment {listed(names, _NAMED)}" if names else ""

    def _pull(self, place: Place, entry: WantedWeights, mirror: str, *, counted: bool) -> None:
        self._load.add(mirror, place, counted=counted)
        if counted:
            self.pulling[place] = entry

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
    ground: Ground, snapshot: FleetSnapshot, needs: Sequence[Need], held: Owners, others: PullPlan
) -> PullPlan:
    """Entries for all needs in their order; ``held`` are places where replicas exist already.

    ``others`` are the pulls of the nodes that neither of both names; they stay as they are.
    An entry of now stays while a need or a replica holds it, also when no approval holds any more.
    """
    nodes, owners = ground.nodes, {**others.owners, **_owners(needs, held)}
    pulls = _Pulls(ground, snapshot, owners, others)
    models: dict[Place, ApprovedModel] = {}
    for need in needs:
        if need.place.node in nodes:
            models[need.place] = _preferred(pulls, need, models.get(need.place))
    only_held = [place for place in sorted(held) if place.node in nodes and place not in models]
    for place in only_held:
        now = pulls.wants.before.get(place)
        if now is not None:
            pulls.keep(place, now)
    opened = _decide(pulls, models)
    states = {place: _state(pulls, place, model.file_bytes) for place, model in models.items()}
    states.update((one, _state(pulls, one, _recorded_bytes(pulls, one))) for one in only_held)
    return PullPlan(
        {**others.wanted, **pulls.wants.weights},
        {**others.mirrors, **pulls.wants.mirrors},
        {**others.states, **states},
        owners,
        pulls.pulling,
        others.open | opened,
    )


def _decide(pulls: _Pulls, models: Mapping[Place, ApprovedModel]) -> set[str]:
    """Entries for what is needed; the nodes where that depended on what other nodes pull."""
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
    return {place.node for place, _, _ in rest}


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
