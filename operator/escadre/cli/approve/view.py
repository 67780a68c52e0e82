"""What `escadre approve show` and `sign` print: an approval and its signatures. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from escadre import reasons
from escadre.api.approval import (
    SIGNATURES,
    ModelApprovalSpec,
    ModelApprovalStatus,
    SignatureRecord,
)
from escadre.api.base import Condition
from escadre.api.wire import read
from escadre.cli.shared.marks import heading, mark, styled
from escadre.cli.shared.tables import grid
from escadre.cli.shared.words import bytes_text, count, duration, since, time_text
from escadre.clients.kube import Json
from escadre.core.approvals.verdict import content_digest
from escadre.errors import Refusal
from escadre.fieldfaults import first_fault
from escadre.names import ConditionType

__all__ = ["StoredApproval", "content", "document", "view"]


@dataclass(frozen=True, slots=True)
class StoredApproval:
    """A ModelApproval as stored, with the digest of its content as people sign it."""

    name: str
    spec: ModelApprovalSpec
    status: ModelApprovalStatus
    digest: str
    unjudged: tuple[Json, ...] = ()  # signatures that the operator has not looked at
    untold: tuple[Json, ...] = ()  # judged, and older than the newest that a status has room for
    said: Mapping[str, str] = field(default_factory=dict)  # reasons, by name of the signature

    @classmethod
    def read(cls, body: Json, signatures: list[Json]) -> "StoredApproval":
        """Reads an object of the API server.

        Raises:
            Refusal: ApprovalInvalid, when this version cannot read it.
        """
        name, raw = body["metadata"]["name"], body.get("spec") or {}
        try:
            spec = ModelApprovalSpec.model_validate(raw)
        except ValidationError as error:
            raise Refusal(
                reasons.APPROVAL_INVALID, f"ModelApproval {name}: {first_fault(error, 'spec')}"
            ) from error
        status = read(ModelApprovalStatus, body.get("status"))
        told = {record.name for record in status.signatures}
        others = [each for each in signatures if each["metadata"]["name"] not in told]
        untold = tuple(each for each in others if _is_older(each, status.signatures))
        unjudged = tuple(each for each in others if not _is_older(each, status.signatures))
        said = {
            each["metadata"]["name"]: each["spec"]["reason"]
            for each in signatures
            if each["spec"].get("reason")
        }
        return cls(name, spec, status, content_digest(raw), unjudged, untold, said)

    @property
    def approved(self) -> Condition | None:
        """The condition Approved."""
        return next(
            (each for each in self.status.conditions if each.type == ConditionType.APPROVED), None
        )

    def untold_of(self, by: str) -> str:
        """The newest approving word of theirs that the status has no room for, "" without."""
        words = (each for each in reversed(self.untold) if each["spec"]["by"] == by)
        approving = (each for each in words if each["spec"]["decision"] == "Approve")
        return next((str(each["metadata"]["name"]) for each in approving), "")


def _is_older(signature: Json, told: Sequence[SignatureRecord]) -> bool:
    """Whether a signature is older than the oldest one in a status that has room for no more."""
    if len(told) < SIGNATURES.most:
        return False
    meta, oldest = signature["metadata"], told[0]
    made = meta.get("creationTimestamp")
    if not made:
        return False
    return (datetime.fromisoformat(made), meta["name"]) < (oldest.at, oldest.name)


def content(approval: StoredApproval) -> Table:
    """What is being signed: every fact a person should read before."""
    spec = approval.spec
    size = sum(each.size for each in spec.files)
    contract = f", contract {spec.licence.contract}" if spec.licence.contract else ""
    table = grid("", "")
    table.add_row("model", spec.repository)
    table.add_row("revision", spec.revision)
    table.add_row("files", f"{count(len(spec.files), 'file')}, {bytes_text(size)}")
    table.add_row("weights", spec.manifest_digest)
    table.add_row(
        "licence", f"{spec.licence.spdx}, accepted by {spec.licence.accepted_by}{contract}"
    )
    table.add_row("namespaces", ", ".join(spec.namespaces))
    table.add_row("mirrors", ", ".join(spec.mirrors))
    table.add_row("valid until", time_text(spec.not_after))
    table.add_row("requested by", spec.requested_by)
    table.add_row("asks for", f"{count(spec.required_approvals, 'approval')} by others")
    table.add_row("content", approval.digest)
    return table


def view(approval: StoredApproval, now: float) -> Group:
    """The whole of `approve show`."""
    condition = approval.approved
    title = heading(f"{approval.name}  ")
    title.append_text(Text("Approved: ") + styled(condition.status if condition else "Unknown"))
    if condition:
        title.append(f"  {condition.reason}")
    if approval.status.summary:
        title.append(f"  {approval.status.summary}")
    parts: list[RenderableType] = [title, content(approval), Text(), heading("Signatures")]
    parts.append(_signatures(approval, now))
    if condition and condition.status != "True":
        parts += [Text(), Text(condition.message)]
        step = condition.next_step or condition.reason.advice
        if step:
            parts.append(Text(f"next: {step}"))
    left = approval.spec.not_after.timestamp() - now
    if left > 0 and condition and condition.status == "True":
        parts += [Text(), Text(f"Expires in {duration(left)}.")]
    return Group(*parts)


def _signatures(approval: StoredApproval, now: float) -> RenderableType:
    if not approval.status.signatures and not approval.unjudged:
        return Text("  nobody has signed")
    table = grid("", "BY", "DECISION", "SINCE", "COUNTS")
    for record in approval.status.signatures:
        table.add_row(
            mark("ok" if record.counted else "blocked"),
            record.by,
            record.decision,
            since(record.at, now),
            _counts(record),
        )
    for each in approval.unjudged:
        spec = each["spec"]
        table.add_row(
            mark("unknown"), spec["by"], spec["decision"], "", "the operator has not looked yet"
        )
    parts: list[RenderableType] = [table]
    if approval.untold:
        older = count(len(approval.untold), "older signature")
        parts.append(Text(f"  and {older}, which the status has no room to tell of"))
    names = [record.name for record in approval.status.signatures]
    names += [each["metadata"]["name"] for each in approval.unjudged]
    parts += [Text(f"  {name}: {approval.said[name]}") for name in names if name in approval.said]
    return Group(*parts)


def _counts(record: SignatureRecord) -> str:
    """A revocation is no approval that could be counted, and yet has its full effect."""
    if record.decision == "Revoke":
        return "yes: it revokes"
    return "yes" if record.counted else f"no: {record.why}"


def document(approval: StoredApproval) -> dict[str, Any]:
    """The same as JSON."""
    condition = approval.approved
    return {
        "name": approval.name,
        "approved": condition is not None and condition.status == "True",
        "reason": (condition.reason if condition else reasons.PENDING).name,
        "message": condition.message if condition else "",
        "summary": approval.status.summary,
        "contentDigest": approval.digest,
        "signatures": [
            _record(record) | {"reason": approval.said.get(record.name, "")}
            for record in approval.status.signatures
        ],
        "olderSignatures": len(approval.untold),  # judged; the status has no room for them
        "notJudgedYet": [each["metadata"]["name"] for each in approval.unjudged],
        "spec": approval.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _record(record: SignatureRecord) -> dict[str, Any]:
    document: dict[str, Any] = record.model_dump(mode="json", by_alias=True)
    return document
