"""The key deployment/ns/name: the children of one ModelDeployment, from the last fleet plan.

gather (caches) -> plan (core) -> apply (children) -> status, which is written last.
"""

from escadre import reasons
from escadre.controller.children import Applier, Problem
from escadre.controller.context import Context
from escadre.controller.keys import FLEET, Key
from escadre.controller.passes import Pass
from escadre.controller.prune import prune, prune_orphans
from escadre.controller.replicas import Replicas, wanted_digests
from escadre.controller.report import report
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.fleet.freshness import stands
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import Target, plan_rollout
from escadre.names import claim_name, volume_name
from escadre.reasons.said import Said
from escadre.render.labels import Owner
from escadre.render.service import budget, network_policy, service
from escadre.render.volume import claim, volume
from escadre.state.gather import Sight
from escadre.state.views import DeploymentView

__all__ = ["reconcile_deployment"]

PROBLEM_SECONDS = 30.0
_STANDING = frozenset({"Service", "NetworkPolicy", "PodDisruptionBudget"})  # once, for good


async def reconcile_deployment(context: Context, key: Key) -> float | None:
    """One pass; returns in how many seconds to look again, None for never by itself."""
    view = context.caches.deployments.get(key.name, key.namespace)
    if view is None or view.terminating:
        if view is None:
            await prune_orphans(context.api, context.caches, key.namespace, key.name)
        return None
    sight = context.sight()
    plan = context.memory.plan_of(DeploymentKey(key.namespace, key.name))
    if plan is None or not stands(plan, sight.facts(view)):
        context.wake(FLEET, 0.0)  # its pass wakes this key again
        return None
    this = _decide(context, sight, view, plan)
    applier = Applier(context.api, view.uid)
    try:
        await _apply(context, this, applier)
    finally:
        # Also after a failed write: the status says what stands in the way.
        left = await report(context, this, applier)
        _tell(context, this, applier)
    if applier.problems:
        # A foreign object or a quota that goes away is not watched.
        left = min(left or PROBLEM_SECONDS, PROBLEM_SECONDS)
    return _next_look(context, this, left)


def _decide(context: Context, sight: Sight, view: DeploymentView, plan: DeploymentPlan) -> Pass:
    approval, observed = sight.approval(view), sight.observed(view)
    rollout = plan_rollout(
        [one.view for one in observed],
        [_target(one.slot, one.node, one.manifest_digest, one.message, plan) for one in plan.slots],
        approved=approval.approved,
        now=sight.now,
        drain_seconds=context.settings.engine.drain_seconds,
    )
    return Pass(sight, view, approval, plan, observed, rollout)


def _target(
    slot: int, node: str | None, digest: str, message: Said, plan: DeploymentPlan
) -> Target:
    if plan.layout is None:
        node = None  # the wish has no layout: what runs was made for another one, and stays
    verified = any(
        one.node == node and one.manifest_digest == digest and one.state == "Verified"
        for one in plan.weights
    )
    return Target(slot, node, verified, message)


async def _apply(context: Context, this: Pass, applier: Applier) -> None:
    view, owner = this.view, this.owner
    if view.spec is None:
        return  # what runs stays as it is until the spec can be read
    namespace = context.caches.namespaces.get(view.namespace)
    if namespace is None or namespace.terminating:
        applier.problems.append(
            Problem(reasons.NAMESPACE_TERMINATING, f"namespace {view.namespace} is being deleted")
        )
        return
    children = context.caches.children
    for intent in (
        service(owner),
        network_policy(
            owner, context.settings.namespace, context.settings.network.ingress_namespaces
        ),
        budget(owner),
    ):
        await applier.apply(intent, children[intent["kind"]])
    digests = wanted_digests(this.observed, this.plan)
    model = this.approval.model if this.approval.approved else None
    approved = model.manifest_digest if model else ""
    for digest in digests:
        # Of other digests we have only the word of an annotation, which the namespace can edit:
        # their volumes are kept, and never made.
        made = volume_name(owner.namespace, owner.name, owner.uid, digest)
        if digest == approved or context.caches.volumes.get(made) is not None:
            await _apply_weights(context, owner, digest, applier)
    await Replicas(context, this, applier).carry_out()
    await prune(
        context.api,
        context.caches,
        view,
        {claim_name(owner.name, digest) for digest in digests},
        {volume_name(owner.namespace, owner.name, owner.uid, digest) for digest in digests},
    )


async def _apply_weights(context: Context, owner: Owner, digest: str, applier: Applier) -> None:
    caches = context.caches
    live_claim = caches.claims.get(claim_name(owner.name, digest), owner.namespace)
    live_volume = caches.volumes.get(volume_name(owner.namespace, owner.name, owner.uid, digest))
    claim_uid = None
    if live_claim is not None and not live_claim.terminating:
        if live_volume is not None:
            tied = live_volume.load()["spec"].get("claimRef", {}).get("uid")
            claim_uid = live_claim.uid if tied else None
        elif (live_claim.load().get("status") or {}).get("phase") in {"Bound", "Lost"}:
            claim_uid = live_claim.uid
    await applier.apply(volume(owner, digest, claim_uid), caches.volumes)
    await applier.apply(claim(owner, digest), caches.claims)


def _tell(context: Context, this: Pass, applier: Applier) -> None:
    """Events for what was done."""
    name, record = this.view.name, context.recorder.record
    for action in this.rollout.actions:
        if action.verb in {"Create", "Drain", "Delete", "Replace"}:
            words = f"replica {name}-{action.slot}: {action.message}"
            record(this.about, action.reason, words, done=True)
    replaced = {f"{name}-{one.slot}" for one in this.rollout.actions if one.verb != "Keep"}
    # With replicas told of, these stood before; volumes and replicas come and go by themselves.
    stood = bool(this.view.told.replicas)
    for how, kind, child in applier.changed:
        if how == "mended" and child not in replaced:
            record(this.about, reasons.CHILD_MENDED, f"{kind} {child} was put right")
        if how == "created" and kind in _STANDING and stood:
            record(this.about, reasons.CHILD_MENDED, f"{kind} {child} was gone; made again")


def _next_look(context: Context, this: Pass, left: float | None) -> float | None:
    waits = [left] if left is not None else []
    limit, now = context.settings.engine.drain_seconds, this.sight.now
    waits += [
        max(action.drain.since + limit - now, 0.1)
        for action in this.rollout.actions
        if action.drain is not None and action.verb in {"Keep", "Drain"}
    ]
    approval = this.approval
    if approval.approved and approval.expires is not None:
        waits.append(max(approval.expires - now, 0.1))
    if any(one.state == "Pulling" for one in this.plan.weights):
        # The numbers of a pull wake nobody; they are told as often as mere numbers may be.
        waits.append(max(context.settings.operator.status_interval_seconds, 1.0))
    return min(waits, default=None)
