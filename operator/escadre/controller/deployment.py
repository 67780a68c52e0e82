"""The key deployment/ns/name: the children of one ModelDeployment, from the last fleet plan.

gather (caches) -> plan (core) -> apply (children) -> status, which is written last.
"""

from collections.abc import Sequence

from escadre import reasons
from escadre.controller.children import Applier, Problem
from escadre.controller.context import Context
from escadre.controller.keys import FLEET, Key
from escadre.controller.prune import prune, prune_orphans
from escadre.controller.replicas import Replicas, wanted_digests
from escadre.controller.report import report
from escadre.core.facts.deployment import DeploymentKey
from escadre.core.fleet.plan import DeploymentPlan
from escadre.core.replicas.rollout import RolloutPlan, Target, plan_rollout
from escadre.machinery.events import ObjectRef
from escadre.names import API_VERSION, claim_name, volume_name
from escadre.render.labels import Owner
from escadre.render.service import budget, network_policy, service
from escadre.render.volume import claim, volume
from escadre.state.judge import DeploymentApproval, deployment_approval
from escadre.state.memory import PlannedFor
from escadre.state.observe import Observed, observe
from escadre.state.views import DeploymentView

__all__ = ["reconcile_deployment"]

PROBLEM_SECONDS = 30.0
_STANDING = frozenset({"Service", "NetworkPolicy", "PodDisruptionBudget"})  # once, for good


async def reconcile_deployment(context: Context, key: Key) -> float | None:
    """One pass; returns in how many seconds to look again, None for never by itself."""
    view = context.caches.deployments.get(key.name, key.namespace)
    identity = DeploymentKey(key.namespace, key.name)
    if view is None or view.terminating:
        if view is None:
            await prune_orphans(context.api, context.caches, key.namespace, key.name)
        context.memory.forget(identity)
        return None
    now = context.now()
    approval = deployment_approval(context.caches, context.settings, view, now, context.policies())
    plan = context.memory.plan_of(identity)
    if plan is None or context.memory.planned_for.get(identity) != PlannedFor.of(view, approval):
        context.wake(FLEET, 0.0)  # its pass wakes this key again
        return None
    observed = observe(context.caches, context.memory, view, approval.model, context.platform)
    rollout = plan_rollout(
        [one.view for one in observed],
        [_target(one.slot, one.node, one.manifest_digest, one.message, plan) for one in plan.slots],
        approved=approval.approved,
        now=now,
        drain_seconds=context.settings.engine.drain_seconds,
    )
    applier = Applier(context.api, view.uid)
    try:
        await _apply(context, view, approval, plan, rollout, observed, applier)
    finally:
        # Also after a failed write: the status says what stands in the way.
        left = await report(context, view, approval, plan, rollout, observed, applier)
        _tell(context, view, rollout, applier)
    if applier.problems:
        # A foreign object or a quota that goes away is not watched.
        left = min(left or PROBLEM_SECONDS, PROBLEM_SECONDS)
    return _next_look(context, rollout, approval, left, now)


def _target(slot: int, node: str | None, digest: str, message: str, plan: DeploymentPlan) -> Target:
    if plan.layout is None:
        node = None  # the wish has no layout: what runs was made for another one, and stays
    verified = any(
        one.node == node and one.manifest_digest == digest and one.state == "Verified"
        for one in plan.weights
    )
    return Target(slot, node, verified, message)


async def _apply(
    context: Context,
    view: DeploymentView,
    approval: DeploymentApproval,
    plan: DeploymentPlan,
    rollout: RolloutPlan,
    observed: Sequence[Observed],
    applier: Applier,
) -> None:
    if view.spec is None:
        return  # what runs stays as it is until the spec can be read
    namespace = context.caches.namespaces.get(view.namespace)
    if namespace is None or namespace.terminating:
        applier.problems.append(
            Problem(reasons.NAMESPACE_TERMINATING, f"namespace {view.namespace} is being deleted")
        )
        return
    owner = Owner(view.namespace, view.name, view.uid)
    children = context.caches.children
    for intent in (
        service(owner),
        network_policy(
            owner, context.settings.namespace, context.settings.network.ingress_namespaces
        ),
        budget(owner),
    ):
        await applier.apply(intent, children[intent["kind"]])
    digests = wanted_digests(observed, plan)
    approved = approval.model.manifest_digest if approval.model and approval.approved else ""
    for digest in digests:
        # Of other digests we have only the word of an annotation, which the namespace can edit:
        # their volumes are kept, and never made.
        made = volume_name(owner.namespace, owner.name, owner.uid, digest)
        if digest == approved or context.caches.volumes.get(made) is not None:
            await _apply_weights(context, owner, digest, applier)
    await Replicas(context, view, owner, approval.model, plan, applier).carry_out(rollout, observed)
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


def _tell(context: Context, view: DeploymentView, rollout: RolloutPlan, applier: Applier) -> None:
    """Events for what was done."""
    about = ObjectRef(API_VERSION, "ModelDeployment", view.name, view.namespace, view.uid)
    for action in rollout.actions:
        if action.verb in {"Create", "Drain", "Delete", "Replace"}:
            words = f"replica {view.name}-{action.slot}: {action.message}"
            context.recorder.record(about, action.reason, words, done=True)
    replaced = {f"{view.name}-{one.slot}" for one in rollout.actions if one.verb != "Keep"}
    for how, kind, name in applier.changed:
        if how == "mended" and name not in replaced:
            context.recorder.record(about, reasons.CHILD_MENDED, f"{kind} {name} was put right")
        # With replicas told of, these stood before; volumes and replicas come and go by themselves.
        if how == "created" and kind in _STANDING and view.told.replicas:
            context.recorder.record(
                about, reasons.CHILD_MENDED, f"{kind} {name} was gone; made again"
            )


def _next_look(
    context: Context,
    rollout: RolloutPlan,
    approval: DeploymentApproval,
    left: float | None,
    now: float,
) -> float | None:
    waits = [left] if left is not None else []
    limit = context.settings.engine.drain_seconds
    waits += [
        max(action.drain.since + limit - now, 0.1)
        for action in rollout.actions
        if action.drain is not None and action.verb in {"Keep", "Drain"}
    ]
    if approval.approved and approval.expires is not None:
        waits.append(max(approval.expires - now, 0.1))
    return min(waits, default=None)
