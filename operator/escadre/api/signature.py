"""ModelSignature: one person's word on one approval. Immutable; `by` enforced by admission."""

from typing import Annotated, Literal

from pydantic import Field

from escadre.api.base import Digest, Model, Named, ObjectName

__all__ = ["ModelSignatureSpec"]


class ModelSignatureSpec(Model):
    """Who says what about exactly which content; the time is metadata.creationTimestamp."""

    approval: ObjectName = Field(description="Name of the ModelApproval.")
    content_digest: Digest = Field(
        description="sha256 over the canonical JSON (RFC 8785) of the approval's spec as stored."
    )
    decision: Literal["Approve", "Revoke"] = Field(
        description="Approve, or Revoke; a revocation holds whatever digest it names."
    )
    by: Named = Field(
        description="Who signs; the API server lets only the caller's own name through."
    )
    reason: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="Why, for the record; shown when an approval is revoked."
    )
