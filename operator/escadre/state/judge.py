"""Whether approvals hold, from the caches: signatures, live policies, the clock's ``now``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from escadre import reasons
from escadre.core.approvals.verdict import ApprovalVerdict, PolicyState, allows_namespace, evaluate
from escadre.core.facts.model import ApprovedModel
from escadre.core.status.approval import ending
from escadre.machinery.diff import holds
from escadre.machinery.memo import Memo
from escadre.reasons import Reason
from escadre.settings import PolicyExpectation, Settings
from escadre.state.caches import Caches
from escadre.state.views import ApprovalView, DeploymentView, PolicyView, SignatureView

__all__ = [
    "Approvals",
    "DeploymentApproval",
    "Policies",
    "judge",
    "judged",
]

Judged = tuple[ApprovalVerdict | None, str]


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


class Policies:
    """Whether every admission policy the chart installed is live and unchanged.

    Each live object is compared once, not in every pass.
    """

    def __init__(self, caches: Caches, expected: Sequence[PolicyExpectation]) -> None:
        self._caches = caches
        self._expected = expected
        self._unchanged = Memo(_unchanged)

    def state(self) -> PolicyState:
        """As it is now."""
        since = 0.0
        for one in self._expected:
            live = self._live(one)
            if live is None or live.terminating:
                return PolicyState(
                    problem=f"{one.kind} {one.name} is missing: signatures prove nothing "
                    "without it; run helm upgrade to restore it"
                )
            if not self._unchanged.of(f"{one.kind}/{one.name}", live, one):
                return PolicyState(
                    problem=f"{one.kind} {one.name} was changed and is not the chart's; "
                    "run helm upgrade to restore it"
                )
            since = max(since, live.created)
        return PolicyState(since=since)

    def _live(self, one: PolicyExpectation) -> PolicyView | None:
        policies = one.kind == "ValidatingAdmissionPolicy"
        return (self._caches.policies if policies else self._caches.bindings).get(one.name)


def _unchanged(live: PolicyView, expected: PolicyExpectation) -> bool:
    return holds(expected.spec, live.spec) and holds(live.spec, expected.spec)


def judge(
    caches: Caches, settings: Settings, approval: ApprovalView, now: float, policies: PolicyState
) -> ApprovalVerdict | None:
    """The verdict on an approval; None when its spec cannot be read."""
    signatures = caches.signatures.by("approval", approval.name)
    return _verdict(approval, signatures, settings, policies, now)


def _verdict(
    approval: ApprovalView,
    signatures: Sequence[SignatureView],
    settings: Settings,
    policies: PolicyState,
    now: float,
) -> ApprovalVerdict | None:
    if approval.spec is None:
        return None
    return evaluate(
        approval.name,
        approval.spec,
        approval.content_digest,
        [one.signature for one in signatures],
        minimum=settings.approvals.minimum,
        policies=policies,
        now=now,
    )


def judged(
    approval: ApprovalView,
    signatures: Sequence[SignatureView],
    settings: Settings,
    policies: PolicyState,
    now: int,
) -> Judged:
    """The verdict, and what is said of it when it holds. Pure: made once a second at most."""
    verdict = _verdict(approval, signatures, settings, policies, now)
    if verdict is None:
        return None, ""
    return verdict, verdict.message + ending(verdict, settings.approvals.warn_days, now)


@dataclass(slots=True)
class Approvals:
    """What approvals mean at one time, to the second; each is judged once per namespace.

    ``verdicts`` remembers what was `judged`: a burst of changes is many passes in one second.
    """

    caches: Caches
    settings: Settings
    policies: PolicyState
    now: float
    verdicts: Memo[[ApprovalView, Sequence[SignatureView], Settings, PolicyState, int], Judged]
    _known: dict[tuple[str, str], DeploymentApproval] = field(default_factory=dict)

    def of(self, view: DeploymentView) -> DeploymentApproval:
        """What the approval that a deployment names means for it."""
        if view.spec is None:
            return DeploymentApproval(False, reasons.INVALID_SPEC, view.invalid, None)
        key = (view.spec.approval, view.namespace)
        if key not in self._known:
            self._known[key] = self._judge(*key)
        return self._known[key]

    def _judge(self, name: str, namespace: str) -> DeploymentApproval:
        approval = self.caches.approvals.get(name)
        if approval is None:
            return DeploymentApproval(
                False, reasons.APPROVAL_NOT_FOUND, f"ModelApproval {name} does not exist", None
            )
        signatures = self.caches.signatures.by("approval", name)
        # What ends in this second has ended: no pass is woken by less than its end.
        second = math.ceil(self.now)
        verdict, words = self.verdicts.of(
            approval.uid, approval, signatures, self.settings, self.policies, second
        )
        if approval.spec is None or verdict is None:
            return DeploymentApproval(
                False, reasons.APPROVAL_INVALID, f"ModelApproval {name}: {approval.invalid}", None
            )
        model = approval.model
        if not verdict.approved:
            return DeploymentApproval(
                False, verdict.reason, verdict.message, model, verdict.expires
            )
        refused = allows_namespace(name, approval.spec, namespace)
        if refused:
            return DeploymentApproval(False, reasons.NAMESPACE_NOT_ALLOWED, refused, model)
        if approval.terminating:
            return DeploymentApproval(
                False, reasons.APPROVAL_NOT_FOUND, f"ModelApproval {name} is being deleted", model
            )
        return DeploymentApproval(True, reasons.APPROVED, words, model, verdict.expires)
