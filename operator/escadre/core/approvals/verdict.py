"""Whether an approval holds: who signed which content, what is missing, until when.

Called by controller/ for the status of ModelApprovals and before every plan, and by the CLI. It
only judges; it knows no clock: ``now`` comes in.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import rfc8785

from escadre import reasons
from escadre.api.approval import SIGNATURES, ModelApprovalSpec, SignatureRecord
from escadre.core.counting import share
from escadre.core.listing import listed
from escadre.reasons import Reason

__all__ = [
    "SIGNED_BEFORE",
    "ApprovalVerdict",
    "PolicyState",
    "Signature",
    "allows_namespace",
    "content_digest",
    "evaluate",
    "iso",
]

# Why a word does not count of whom an earlier one does.
SIGNED_BEFORE: Final = "the same person signed before"


def content_digest(spec: Mapping[str, object]) -> str:
    """``sha256:…`` over the RFC 8785 JSON of an approval's spec as the API server stores it."""
    return "sha256:" + hashlib.sha256(rfc8785.dumps(dict(spec))).hexdigest()


def iso(when: float) -> str:
    """``when`` (seconds since the epoch) as Kubernetes writes times."""
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Signature:
    """A ModelSignature as stored; ``created`` in seconds since the epoch."""

    name: str
    approval: str
    by: str
    decision: Literal["Approve", "Revoke"]
    content_digest: str
    created: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PolicyState:
    """Whether the admission policies that enforce four eyes are live and our own.

    ``since`` is when the youngest of them was created: what was signed before was signed without
    them. ``problem`` names the missing or changed one ("" if all is well).
    """

    since: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ApprovalVerdict:
    """The judgement. ``expires`` is when to look again, in seconds since the epoch.

    ``counted`` is the number of different people whose signatures count; ``records`` are the newest
    signatures only, as many as a status holds.
    """

    approved: bool
    reason: Reason
    message: str
    content_digest: str
    counted: int
    required: int
    records: tuple[SignatureRecord, ...]
    expires: float

    @property
    def summary(self) -> str:
        """Signatures that count of those required, e.g. ``1/2``."""
        return f"{self.counted}/{self.required}"


def evaluate(
    name: str,
    spec: ModelApprovalSpec,
    digest: str,
    signatures: Sequence[Signature],
    *,
    minimum: int,
    policies: PolicyState,
    now: float,
) -> ApprovalVerdict:
    """Judges one approval against every signature that names it.

    ``digest`` is the content digest of the spec as stored.

    A revocation holds whatever digest it names and whenever it was made: taking a word back must
    never fail on a detail.
    """
    ordered = sorted(
        (signature for signature in signatures if signature.approval == name),
        key=lambda signature: (signature.created, signature.name),
    )
    required = max(spec.required_approvals, minimum)
    records = _records(ordered, spec, digest, policies)
    told = tuple(SIGNATURES.cut(records))
    people = sorted({record.by for record in records if record.counted})
    expires = spec.not_after.timestamp()

    def verdict(approved: bool, reason: Reason, message: str) -> ApprovalVerdict:
        return ApprovalVerdict(
            approved, reason, message, digest, len(people), required, told, expires
        )

    # The first one: the approval ended then, whoever revokes it again.
    revocation = next((one for one in ordered if one.decision == "Revoke"), None)
    if revocation is not None:
        why = f": {revocation.reason}" if revocation.reason else ""
        return verdict(
            False,
            reasons.REVOKED,
            f"{revocation.by} revoked ModelApproval {name} at {iso(revocation.created)}{why}",
        )
    if now >= expires:
        return verdict(
            False,
            reasons.EXPIRED,
            f"ModelApproval {name} expired at {iso(expires)}; draft a new one",
        )
    if policies.problem:
        return verdict(False, reasons.POLICY_MISSING, policies.problem)
    if len(people) < required:
        words = _missing(name, people, required, records)
        again = _may_sign_again(spec, records, people)
        return verdict(False, reasons.SIGNATURES_MISSING, f"{words}; {_next(name, again)}")
    return verdict(
        True, reasons.APPROVED, f"signed by {', '.join(people)}; valid until {iso(expires)}"
    )


def _records(
    ordered: Sequence[Signature], spec: ModelApprovalSpec, digest: str, policies: PolicyState
) -> list[SignatureRecord]:
    records = []
    seen: set[str] = set()
    for signature in ordered:
        why = _objection(signature, spec, digest, policies, seen)
        if not why:
            seen.add(signature.by)
        records.append(
            SignatureRecord(
                name=signature.name,
                by=signature.by,
                decision=signature.decision,
                at=datetime.fromtimestamp(signature.created, UTC),
                counted=not why,
                why=why,
            )
        )
    return records


def _objection(
    signature: Signature,
    spec: ModelApprovalSpec,
    digest: str,
    policies: PolicyState,
    seen: set[str],
) -> str:
    if signature.decision == "Revoke":
        return "it revokes"
    if signature.by == spec.requested_by:
        return "the requester cannot approve"
    if signature.content_digest != digest:
        return f"signs other content ({signature.content_digest[:19]}…, not {digest[:19]}…)"
    if signature.created < policies.since:
        return (
            f"signed at {iso(signature.created)}, before the admission policy of "
            f"{iso(policies.since)}"
        )
    if signature.by in seen:
        return SIGNED_BEFORE
    return ""


def _missing(
    name: str, people: Sequence[str], required: int, records: Sequence[SignatureRecord]
) -> str:
    have = f"signed by {', '.join(people)}" if people else "nobody signed"
    if records and not people:
        have = f"none of {len(records)} counts"
    ignored = [f"{record.by}: {record.why}" for record in records if not record.counted]
    not_counted = f"; not counted: {listed(ignored, 4, '; ')}" if ignored else ""
    signatures = share(len(people), required, "signature")
    return f"ModelApproval {name} has {signatures} ({have}){not_counted}"


def _may_sign_again(
    spec: ModelApprovalSpec, records: Sequence[SignatureRecord], people: Sequence[str]
) -> list[str]:
    """Who signed in vain, other content or before the policies, and counts with another one."""
    return sorted({record.by for record in records} - {*people, spec.requested_by})


def _next(name: str, again: Sequence[str]) -> str:
    command = f"escadre approve sign {name}"
    if not again:
        return f"another authorised person runs: {command}"
    who = listed(again, 4, " and ")
    verb = "signs" if len(again) == 1 else "sign"
    return f"{who} {verb} again, or another authorised person: {command}"


def allows_namespace(name: str, spec: ModelApprovalSpec, namespace: str) -> str:
    """Why deployments of ``namespace`` may not use the approval, "" if they may."""
    if namespace in spec.namespaces:
        return ""
    return (
        f"ModelApproval {name} is for namespaces {listed(sorted(spec.namespaces), 8)}, "
        f"not for {namespace}"
    )
