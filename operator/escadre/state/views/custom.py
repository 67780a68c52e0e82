"""Views of our own kinds. One that does not parse keeps its error, for the reconcile to say so."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from escadre.api.approval import ModelApprovalSpec
from escadre.api.deployment import ModelDeploymentSpec
from escadre.api.gpunode import GPUNodeStatus
from escadre.api.mirror import ModelMirrorSpec
from escadre.core.approvals.verdict import Signature, content_digest
from escadre.state.views.meta import Json, Meta, explain, meta_of, shared

__all__ = ["ApprovalView", "DeploymentView", "GPUNodeView", "MirrorView", "SignatureView"]


@dataclass(frozen=True, slots=True)
class DeploymentView(Meta):
    """A ModelDeployment. ``spec`` is None when it does not parse; ``invalid`` says why."""

    spec: ModelDeploymentSpec | None
    invalid: str
    status: Json

    @staticmethod
    def of(obj: Json) -> "DeploymentView":
        """Projection."""
        try:
            spec, invalid = ModelDeploymentSpec.model_validate(obj.get("spec") or {}), ""
        except ValidationError as error:
            spec, invalid = None, explain(error)
        return DeploymentView(
            **meta_of(obj), spec=spec, invalid=invalid, status=shared(obj.get("status") or {})
        )


@dataclass(frozen=True, slots=True)
class ApprovalView(Meta):
    """A ModelApproval and the digest of its spec as stored."""

    spec: ModelApprovalSpec | None
    invalid: str
    content_digest: str
    status: Json

    @staticmethod
    def of(obj: Json) -> "ApprovalView":
        """Projection."""
        raw = obj.get("spec") or {}
        try:
            spec, invalid = ModelApprovalSpec.model_validate(raw), ""
        except ValidationError as error:
            spec, invalid = None, explain(error)
        return ApprovalView(
            **meta_of(obj),
            spec=spec,
            invalid=invalid,
            content_digest=content_digest(raw),
            status=obj.get("status") or {},
        )


@dataclass(frozen=True, slots=True)
class SignatureView(Meta):
    """A ModelSignature."""

    signature: Signature

    @staticmethod
    def of(obj: Json) -> "SignatureView":
        """Projection; the CRD makes every field required."""
        meta, spec = meta_of(obj), obj["spec"]
        return SignatureView(
            **meta,
            signature=Signature(
                name=meta["name"],
                approval=spec["approval"],
                by=spec["by"],
                decision=spec["decision"],
                content_digest=spec["contentDigest"],
                created=meta["created"],
                reason=spec.get("reason", ""),
            ),
        )


@dataclass(frozen=True, slots=True)
class MirrorView(Meta):
    """A ModelMirror."""

    spec: ModelMirrorSpec | None

    @staticmethod
    def of(obj: Json) -> "MirrorView":
        """Projection."""
        try:
            spec = ModelMirrorSpec.model_validate(obj.get("spec") or {})
        except ValidationError:
            spec = None
        return MirrorView(**meta_of(obj), spec=spec)


@dataclass(frozen=True, slots=True)
class GPUNodeView(Meta):
    """A GPUNode."""

    node_uid: str  # of the owning Node
    labels: Mapping[str, str]
    spec: Json
    status: GPUNodeStatus

    @staticmethod
    def of(obj: Json) -> "GPUNodeView":
        """Projection; a status that does not parse is no status."""
        try:
            status = GPUNodeStatus.model_validate(obj.get("status") or {})
        except ValidationError:
            status = GPUNodeStatus()
        owners = obj["metadata"].get("ownerReferences") or []
        return GPUNodeView(
            **meta_of(obj),
            node_uid=next((one["uid"] for one in owners if one["kind"] == "Node"), ""),
            labels=obj["metadata"].get("labels") or {},
            spec=obj.get("spec") or {},
            status=status,
        )
