"""Reasons of approvals: whether a model may run."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

APPROVED = Reason(
    "Approved",
    Kind.SETTLED,
    "Enough people signed this content and it is valid.",
    conditions=(ConditionType.APPROVED,),
)
APPROVAL_NOT_FOUND = Reason(
    "ApprovalNotFound",
    Kind.MOVE,
    "No ModelApproval has the name the deployment gives.",
    "Create and sign the approval, or correct spec.approval.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(ConditionType.APPROVED,),
)
APPROVAL_INVALID = Reason(
    "ApprovalInvalid",
    Kind.MOVE,
    "The ModelApproval cannot be read with this version's rules.",
    "Draft the approval again with escadre approve draft.",
    owners=(Owner.APPROVERS,),
    conditions=(ConditionType.APPROVED, ConditionType.WEIGHTS_READY),
)
SIGNATURES_MISSING = Reason(
    "SignaturesMissing",
    Kind.MOVE,
    "Fewer people signed than are required.",
    "Ask another authorised person to sign it.",
    owners=(Owner.APPROVERS,),
    conditions=(ConditionType.APPROVED,),
)
EXPIRING = Reason(
    "Expiring",
    Kind.MOVE,
    "The approval holds, and its notAfter is near (chart value approvals.warnDays).",
    "Draft a new approval with a later notAfter and have it signed in time.",
    owners=(Owner.APPROVERS,),
    conditions=(ConditionType.EXPIRING,),
)
EXPIRED = Reason(
    "Expired",
    Kind.MOVE,
    "The approval's notAfter has passed.",
    "Draft a new approval with a later notAfter and have it signed.",
    owners=(Owner.APPROVERS,),
    conditions=(ConditionType.APPROVED,),
)
REVOKED = Reason(
    "Revoked",
    Kind.MOVE,
    "Someone revoked the approval.",
    "Deploy another approved model, or draft and sign a new approval.",
    owners=(Owner.APPROVERS,),
    conditions=(ConditionType.APPROVED,),
)
NAMESPACE_NOT_ALLOWED = Reason(
    "NamespaceNotAllowed",
    Kind.MOVE,
    "The approval does not name the deployment's namespace.",
    "Use an approval for this namespace, or draft a new one that names it.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.APPROVERS,
    ),
    conditions=(ConditionType.APPROVED,),
)
POLICY_MISSING = Reason(
    "PolicyMissing",
    Kind.INCIDENT,
    "The admission policies that enforce four eyes are missing or changed.",
    "helm upgrade escadre to restore its ValidatingAdmissionPolicies and bindings.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.APPROVED,),
)
