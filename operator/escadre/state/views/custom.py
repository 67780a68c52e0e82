"""Views of our own kinds. One that does not parse keeps its error, for the reconcile to say so."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from pydantic import ValidationError

from escadre.api.agreements import disagreement
from escadre.api.approval import ModelApprovalSpec, ModelApprovalStatus
from escadre.api.deployment import ModelDeploymentSpec, ModelDeploymentStatus, ScalingStatus
from escadre.api.gpunode import GPUNodeStatus, MirrorSource
from escadre.api.mirror import ModelMirrorSpec, ModelMirrorStatus
from escadre.api.mirrorrules import broken_rule
from escadre.api.wire import read
from escadre.core.approvals.verdict import Signature, content_digest
from escadre.core.facts.model import ApprovedModel
from escadre.core.status.told import Past, Told, past
from escadre.machinery.packing import pack, unpack
from escadre.state.views.meta import Json, Meta, explain, meta_of

__all__ = ["ApprovalView", "DeploymentView", "GPUNodeView", "MirrorView", "SignatureView"]

# What is wished for is often the same, and is never another while only a status changes: it is
# read and kept once, for as long as one deployment has it.
_wishes: Final[WeakValueDictionary[str, ModelDeploymentSpec]] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class DeploymentView(Meta):
    """A ModelDeployment. ``spec`` is None when it does not parse; ``invalid`` says why.

    ``told`` is what its status says, ``stored`` the status itself, to compare a new one with.
    """

    spec: ModelDeploymentSpec | None
    invalid: str
    told: Told
    stored: bytes

    @property
    def scaling(self) -> ScalingStatus | None:
        """What the status tells of scaling, read when it is asked for."""
        return read(ModelDeploymentStatus, unpack(self.stored)).scaling

    @staticmethod
    def of(obj: Json) -> "DeploymentView":
        """Projection."""
        spec, invalid = _wish(obj.get("spec") or {})
        status = obj.get("status") or {}
        return DeploymentView(
            **meta_of(obj),
            spec=spec,
            invalid=invalid,
            told=Told.of(read(ModelDeploymentStatus, status)),
            stored=pack(status, "ModelDeployment.status"),
        )


def _wish(raw: Json) -> tuple[ModelDeploymentSpec | None, str]:
    """The spec, else what is wrong with it."""
    text = json.dumps(raw, sort_keys=True)
    if (known := _wishes.get(text)) is not None:
        return known, ""
    try:
        spec = ModelDeploymentSpec.model_validate(raw)
    except ValidationError as error:
        return None, explain(error)
    if words := disagreement(spec):
        return None, f"spec.{words}"
    _wishes[text] = spec
    return spec, ""


@dataclass(frozen=True, slots=True)
class ApprovalView(Meta):
    """A ModelApproval, the digest of its spec as stored, and the model that it describes.

    ``told`` are its conditions.
    """

    spec: ModelApprovalSpec | None
    invalid: str
    model: ApprovedModel | None
    content_digest: str
    told: tuple[Past, ...]
    stored: bytes

    @staticmethod
    def of(obj: Json) -> "ApprovalView":
        """Projection."""
        raw, status = obj.get("spec") or {}, obj.get("status") or {}
        try:
            spec, invalid = ModelApprovalSpec.model_validate(raw), ""
        except ValidationError as error:
            spec, invalid = None, explain(error)
        meta = meta_of(obj)
        return ApprovalView(
            **meta,
            spec=spec,
            invalid=invalid,
            model=ApprovedModel.of(meta["name"], meta["uid"], spec) if spec else None,
            content_digest=content_digest(raw),
            told=tuple(past(one) for one in read(ModelApprovalStatus, status).conditions),
            stored=pack(status),
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
    """A ModelMirror; ``source`` is what agents are told of it, None when it does not parse.

    ``invalid`` says why it does not; ``told`` are its conditions.
    """

    source: MirrorSource | None
    invalid: str
    told: tuple[Past, ...]
    stored: bytes

    @staticmethod
    def of(obj: Json) -> "MirrorView":
        """Projection."""
        meta, status = meta_of(obj), obj.get("status") or {}
        source: MirrorSource | None = None
        invalid = ""
        try:
            spec = ModelMirrorSpec.model_validate(obj.get("spec") or {})
            if words := broken_rule(spec):
                invalid = f"spec: {words}"
            else:
                given = spec.model_dump(by_alias=True)
                named = {"name": meta["name"], "generation": meta["generation"]}
                source = MirrorSource.model_validate({**given, **named})
        except ValidationError as error:
            invalid = explain(error)
        return MirrorView(
            **meta,
            source=source,
            invalid=invalid,
            told=tuple(past(one) for one in read(ModelMirrorStatus, status).conditions),
            stored=pack(status),
        )


@dataclass(frozen=True, slots=True)
class GPUNodeView(Meta):
    """A GPUNode."""

    node_uid: str  # of the owning Node
    labels: Mapping[str, str]
    spec: Json
    status: GPUNodeStatus

    @staticmethod
    def of(obj: Json) -> "GPUNodeView":
        """Projection."""
        owners = obj["metadata"].get("ownerReferences") or []
        return GPUNodeView(
            **meta_of(obj),
            node_uid=next((one["uid"] for one in owners if one["kind"] == "Node"), ""),
            labels=obj["metadata"].get("labels") or {},
            spec=obj.get("spec") or {},
            status=read(GPUNodeStatus, obj.get("status")),
        )
