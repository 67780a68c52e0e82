"""What one pass does to every child of a ModelDeployment, in which order, and why.

Service, policy and budget first, so that nothing serves without them; then the gates of the
weights, the replicas as the rollout says, and last what nothing needs any more. Pure: children as
they are in, steps out. controller/execute.py carries them out.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from escadre import reasons
from escadre.core.approvals.verdict import iso
from escadre.core.fleet.plan import DeploymentPlan, SlotPlan
from escadre.core.replicas.existing import ChildrenFacts, ClaimFacts, VolumeFacts
from escadre.core.replicas.hung import made_anew
from escadre.core.replicas.rollout import RolloutPlan, Target, Terms, plan_rollout
from escadre.core.replicas.steps import (
    Claim,
    Existing,
    Front,
    Problem,
    Released,
    Step,
    Steps,
    Volume,
)
from escadre.core.replicas.workloads import replica_steps
from escadre.names import claim_name, volume_name

__all__ = ["plan_deployment", "plan_orphans", "targets_of", "wanted_digests"]

_SOON: Final = 0.1
# Kubernetes takes seconds to minutes; what holds a namespace longer is most often a finalizer.
_NAMESPACE_SECONDS: Final = 600.0
_FRONTS: Final = (
    Step("Apply", Front("Service"), "requests reach the replicas through it"),
    Step("Apply", Front("NetworkPolicy"), "engines reach nothing, and few reach them"),
    Step("Apply", Front("PodDisruptionBudget"), "one replica is evicted at a time"),
)


def plan_deployment(facts: ChildrenFacts, now: float) -> Steps:
    """The steps of one pass."""
    rollout = _rollout(facts, now)
    if not facts.readable:
        # What runs stays as it is until the spec can be read.
        return Steps(rollout, again=_again(facts, rollout, now))
    if not facts.housed:
        return Steps(rollout, problem=_homeless(facts, now), again=_again(facts, rollout, now))
    digests = wanted_digests((one.view.digest for one in facts.replicas), facts.plan)
    steps = (
        *_FRONTS,
        *_weights(facts, digests),
        *replica_steps(facts, rollout),
        *_unneeded(facts, digests),
    )
    return Steps(rollout, steps, again=_again(facts, rollout, now))


def wanted_digests(running: Iterable[str], plan: DeploymentPlan) -> list[str]:
    """Digests that need a volume and a claim: of what runs and of what is to run."""
    digests = {digest for digest in running if digest}
    digests |= {slot.manifest_digest for slot in plan.slots if slot.node and slot.manifest_digest}
    return sorted(digests)


def plan_orphans(volumes: Iterable[VolumeFacts]) -> tuple[Existing, ...]:
    """Volumes of an owner that is gone: being cluster-scoped, they have no owner reference."""
    return tuple(_volume(one) for one in volumes if not one.terminating)


def _homeless(facts: ChildrenFacts, now: float) -> Problem:
    namespace, since = facts.plan.facts.key.namespace, facts.leaving_since
    if not since or now - since < _NAMESPACE_SECONDS:
        words = f"namespace {namespace} is being deleted"
        return Problem(reasons.NAMESPACE_TERMINATING, words)
    words = f"namespace {namespace} is being deleted since {iso(since)}, and something holds it"
    return Problem(reasons.NAMESPACE_STUCK, words)


def _rollout(facts: ChildrenFacts, now: float) -> RolloutPlan:
    views, targets = [one.view for one in facts.replicas], targets_of(facts.plan)
    anew = made_anew(views, targets) if facts.approved else None
    terms = Terms(facts.approved, now, facts.pace.drain_seconds, facts.hold, anew)
    return plan_rollout(views, targets, terms)


def targets_of(plan: DeploymentPlan) -> list[Target]:
    """What the fleet plan gives each slot, as the rollout asks for it."""
    return [_target(slot, plan) for slot in plan.slots]


def _target(slot: SlotPlan, plan: DeploymentPlan) -> Target:
    # Without a layout for the wish what runs was made for another one, and stays.
    node = slot.node if plan.layout is not None else None
    verified = any(
        one.node == node and one.manifest_digest == slot.manifest_digest and one.state == "Verified"
        for one in plan.weights
    )
    return Target(slot.slot, node, verified, slot.message)


def _weights(facts: ChildrenFacts, digests: Sequence[str]) -> Iterator[Step]:
    """Volume and claim of each digest.

    Of digests that are not approved we have only the word of an annotation, which the namespace can
    edit: their volumes are kept, and never made.
    """
    key, uid = facts.plan.facts.key, facts.plan.facts.uid
    approved = facts.model.manifest_digest if facts.model and facts.approved else ""
    for digest in digests:
        volume = facts.volumes.get(volume_name(key.namespace, key.name, uid, digest))
        if digest != approved and volume is None:
            continue
        claim = facts.claims.get(claim_name(key.name, digest))
        why = "the approved weights" if digest == approved else "weights that a replica runs on"
        yield Step("Apply", Volume(digest, _tie(claim, volume)), f"only verified nodes have {why}")
        if claim is not None and claim.ours and claim.terminating and claim.protected:
            yield Step("Release", Released(claim.name, claim.uid), "deleted in use; made anew")
        else:
            yield Step("Apply", Claim(digest), f"the pods mount {why} by it")


def _tie(claim: ClaimFacts | None, volume: VolumeFacts | None) -> str | None:
    """The claim that the volume names by uid.

    A volume keeps the uid of a claim that was deleted, and stays Released until it has the new one.
    """
    if claim is None or claim.terminating:
        return None
    tied = claim.settled if volume is None else volume.tied
    return claim.uid if tied else None


def _unneeded(facts: ChildrenFacts, digests: Sequence[str]) -> Iterator[Step]:
    """Claims and volumes of weights that nothing runs or will run."""
    key, uid = facts.plan.facts.key, facts.plan.facts.uid
    claims = {claim_name(key.name, digest) for digest in digests}
    volumes = {volume_name(key.namespace, key.name, uid, digest) for digest in digests}
    for claim in facts.claims.values():
        if claim.ours and claim.name not in claims and not claim.terminating:
            gone = Existing("PersistentVolumeClaim", key.namespace, claim.name, claim.uid)
            yield Step("Delete", gone, "no replica runs or will run on its weights")
    for volume in facts.volumes.values():
        needed = volume.ours and volume.name in volumes
        if volume.named and not needed and not volume.terminating:
            yield Step("Delete", _volume(volume), "no replica runs or will run on its weights")


def _volume(volume: VolumeFacts) -> Existing:
    return Existing("PersistentVolume", "", volume.name, volume.uid)


def _again(facts: ChildrenFacts, rollout: RolloutPlan, now: float) -> float | None:
    """When time alone changes the answer: a drain ends, an approval expires, a pull goes on."""
    ends = [
        action.drain.since + facts.pace.drain_seconds
        for action in rollout.actions
        if action.drain is not None and action.verb in {"Keep", "Drain"}
    ]
    if facts.approved and facts.expires is not None:
        ends.append(facts.expires)
    waits = [max(end - now, _SOON) for end in ends]
    if any(one.state == "Pulling" for one in facts.plan.weights):
        # The numbers of a pull wake nobody; they are told as often as mere numbers may be.
        waits.append(max(facts.pace.status_seconds, _SOON))
    return min(waits, default=None)
