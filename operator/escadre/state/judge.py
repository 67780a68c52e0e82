"""Whether approvals hold, from the caches: signatures, live policies, the clock's ``now``."""

from dataclasses import dataclass, field, replace

from escadre import reasons
from escadre.core.approvals.verdict import ApprovalVerdict, PolicyState, allows_namespace, evaluate
from escadre.core.facts.model import ApprovedModel
from escadre.machinery.diff import holds
from escadre.reasons import Reason
from escadre.settings import PolicyExpectation, Settings
from escadre.state.caches import Caches
from escadre.state.views import ApprovalView, DeploymentView, PolicyView

__all__ = [
    "Approvals",
    "Compared",
    "DeploymentApproval",
    "deployment_approval",
    "judge",
    "policy_state",
]

# By kind and name: as it is live, as it should be, whether they are the same.
Compared = dict[str, tuple[PolicyView, PolicyExpectation, bool]]


@dataclass(frozen=True, slots=True)
class DeploymentApproval:
    """What a deployment's approval says.

    ``model`` is what the approval describes whether it holds or not (None when it is missing or
    unreadable); ``approved`` tells whether anything new may be made from it.
    """

    approved: bool
    reason: Reason
    message: str
    model: ApprovedModel | None
    expires: float | None = None


def policy_state(
    caches: Caches, expected: list[PolicyExpectation], compared: Compared | None = None
) -> PolicyState:
    """Whether every admission policy the chart installed is live and unchanged.

    ``compared`` remembers the live objects seen last: each is compared once, not in every pass.
    """
    compared = {} if compared is None else compared
    since = 0.0
    for one in expected:
        cache = caches.policies if one.kind == "ValidatingAdmissionPolicy" else caches.bindings
        live = cache.get(one.name)
        if live is None or live.terminating:
            return PolicyState(
                problem=f"{one.kind} {one.name} is missing: signatures prove nothing "
                "without it; run helm upgrade to restore it"
            )
        before = compared.get(f"{one.kind}/{one.name}")
        if before is None or before[0] is not live or before[1] is not one:
            same = holds(one.spec, live.spec) and holds(live.spec, one.spec)
            before = compared[f"{one.kind}/{one.name}"] = (live, one, same)
        if not before[2]:
            return PolicyState(
                problem=f"{one.kind} {one.name} was changed and is not the chart's; "
                "run helm upgrade to restore it"
            )
        since = max(since, live.created)
    return PolicyState(since=since)


def judge(
    caches: Caches, settings: Settings, approval: ApprovalView, now: float, policies: PolicyState
) -> ApprovalVerdict | None:
    """The verdict on an approval; None when its spec cannot be read."""
    if approval.spec is None:
        return None
    signatures = [one.signature for one in caches.signatures.by("approval", approval.name)]
    return evaluate(
        approval.name,
        approval.spec,
        approval.content_digest,
        signatures,
        minimum=settings.approvals.minimum,
        policies=policies,
        now=now,
    )


@dataclass(slots=True)
class Approvals:
    """`deployment_approval` for one pass over all: each approval is judged once per namespace.

    ``models`` outlives the pass: a model that is as before is the same object again, so that what
    was made from it is known to stand by a look at its identity.
    """

    caches: Caches
    settings: Settings
    now: float
    policies: PolicyState
    models: dict[str, ApprovedModel] = field(default_factory=dict)
    _known: dict[tuple[str, str], DeploymentApproval] = field(default_factory=dict)

    def of(self, view: DeploymentView) -> DeploymentApproval:
        """What the approval that a deployment names means for it."""
        if view.spec is None:
            return self._judge(view)
        key = (view.spec.approval, view.namespace)
        if key not in self._known:
            self._known[key] = self._judge(view)
        return self._known[key]

    def _judge(self, view: DeploymentView) -> DeploymentApproval:
        found = deployment_approval(self.caches, self.settings, view, self.now, self.policies)
        if found.model is None:
            return found
        known = self.models.get(found.model.approval)
        if known != found.model:
            known = self.models[found.model.approval] = found.model
        return replace(found, model=known)


def deployment_approval(
    caches: Caches, settings: Settings, view: DeploymentView, now: float, policies: PolicyState
) -> DeploymentApproval:
    """What the approval that a deployment names means for it."""
    if view.spec is None:
        return DeploymentApproval(False, reasons.INVALID_SPEC, view.invalid, None)
    name = view.spec.approval
    approval = caches.approvals.get(name)
    if approval is None:
        return DeploymentApproval(
            False, reasons.APPROVAL_NOT_FOUND, f"ModelApproval {name} does not exist", None
        )
    verdict = judge(caches, settings, approval, now, policies)
    if approval.spec is None or verdict is None:
        return DeploymentApproval(
            False, reasons.APPROVAL_INVALID, f"ModelApproval {name}: {approval.invalid}", None
        )
    spec = approval.spec
    model = ApprovedModel(
        approval=name,
        approval_uid=approval.uid,
        repository=spec.repository,
        revision=spec.revision,
        manifest_digest=spec.manifest_digest,
        file_bytes=sum(file.size for file in spec.files),
        architecture=spec.architecture,
        mirrors=tuple(spec.mirrors),
    )
    if not verdict.approved:
        return DeploymentApproval(False, verdict.reason, verdict.message, model, verdict.expires)
    refused = allows_namespace(name, spec, view.namespace)
    if refused:
        return DeploymentApproval(False, reasons.NAMESPACE_NOT_ALLOWED, refused, model)
    if approval.terminating:
        return DeploymentApproval(
            False, reasons.APPROVAL_NOT_FOUND, f"ModelApproval {name} is being deleted", model
        )
    return DeploymentApproval(True, reasons.APPROVED, verdict.message, model, verdict.expires)
