"""The custom kinds: names, scope, columns and cross-field rules. Source of the CRDs and of RBAC."""

from dataclasses import dataclass
from typing import Any, Literal

from escadre.api.agreements import AGREEMENTS
from escadre.api.approval import ModelApprovalSpec, ModelApprovalStatus
from escadre.api.base import Model, PrinterColumn
from escadre.api.deployment import ModelDeploymentSpec, ModelDeploymentStatus
from escadre.api.gpunode import GPUNodeSpec, GPUNodeStatus
from escadre.api.mirror import ModelMirrorSpec, ModelMirrorStatus
from escadre.api.mirrorrules import MIRROR_RULES
from escadre.api.signature import ModelSignatureSpec
from escadre.names import DEPLOYMENT_NAME, DEPLOYMENT_NAME_LENGTH, ConditionType

__all__ = ["KINDS", "Kind", "Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A CEL rule at the root of the object, with the message its author reads."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One custom resource definition."""

    kind: str
    plural: str
    short: str
    scope: Literal["Namespaced", "Cluster"]
    spec: type[Model]
    status: type[Model] | None
    columns: tuple[PrinterColumn, ...]
    rules: tuple[Rule, ...] = ()
    spec_rules: tuple[Rule, ...] = ()
    default_conditions: tuple[str, ...] = ()
    description: str = ""


def _column(name: str, path: str, **more: Any) -> PrinterColumn:
    return PrinterColumn(name=name, json_path=path, **more)


def _condition(type_: str, what: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{what}'


_AGE = _column("Age", ".metadata.creationTimestamp", type="date")
_IMMUTABLE = "self == oldSelf"

KINDS: tuple[Kind, ...] = (
    Kind(
        kind="ModelDeployment",
        plural="modeldeployments",
        short="mdep",
        scope="Namespaced",
        spec=ModelDeploymentSpec,
        status=ModelDeploymentStatus,
        description="The wish of a team: an approved model, served, with as many replicas as its "
        "queue needs.",
        columns=(
            _column(ConditionType.READY, _condition(ConditionType.READY, "status")),
            _column(ConditionType.AVAILABLE, _condition(ConditionType.AVAILABLE, "status")),
            _column(ConditionType.APPROVED, _condition(ConditionType.APPROVED, "status")),
            _column("Model", ".status.serving.summary"),
            _column("Replicas", ".status.replicas.summary"),
            _column("Reason", _condition(ConditionType.READY, "reason")),
            _AGE,
            _column("Layout", ".status.plan.summary", priority=1),
            _column("URL", ".status.url", priority=1),
            _column("Message", _condition(ConditionType.READY, "message"), priority=1),
        ),
        rules=(
            Rule(
                f"size(self.metadata.name) <= {DEPLOYMENT_NAME_LENGTH}",
                f"metadata.name may have {DEPLOYMENT_NAME_LENGTH} characters at most: the names of "
                "the replicas, the service and the volume claim are made from it",
            ),
            Rule(
                f"self.metadata.name.matches('^{DEPLOYMENT_NAME}$')",
                "metadata.name must begin with a lower-case letter and hold lower-case letters, "
                "digits and - only: it becomes the name of a Service",
            ),
        ),
        spec_rules=(
            *(Rule(one.rule, one.message) for one in AGREEMENTS if one.rule),
            Rule(
                "!has(self.typicalTokens) || self.typicalTokens <= self.contextLength",
                "typicalTokens must not be more than contextLength",
            ),
        ),
        default_conditions=(
            ConditionType.READY,
            ConditionType.AVAILABLE,
            ConditionType.APPROVED,
            ConditionType.WEIGHTS_READY,
            ConditionType.PLANNED,
            ConditionType.SCHEDULED,
            ConditionType.SERVING,
            ConditionType.SCALING,
        ),
    ),
    Kind(
        kind="ModelApproval",
        plural="modelapprovals",
        short="mapp",
        scope="Cluster",
        spec=ModelApprovalSpec,
        status=ModelApprovalStatus,
        description="Which bytes of which model may run, under which licence, for whom, until "
        "when. Its spec never changes.",
        columns=(
            _column(ConditionType.APPROVED, _condition(ConditionType.APPROVED, "status")),
            _column("Signatures", ".status.summary"),
            _column("Model", ".spec.repository"),
            _column("Revision", ".spec.revision", priority=1),
            _column("Licence", ".spec.licence.spdx"),
            _column("NotAfter", ".spec.notAfter"),
            _column("Reason", _condition(ConditionType.APPROVED, "reason")),
            _AGE,
        ),
        spec_rules=(
            Rule(
                _IMMUTABLE,
                "spec is immutable: people signed this content; make a new ModelApproval for "
                "other content",
            ),
        ),
        default_conditions=(ConditionType.READY, ConditionType.APPROVED),
    ),
    Kind(
        kind="ModelSignature",
        plural="modelsignatures",
        short="msig",
        scope="Cluster",
        spec=ModelSignatureSpec,
        status=None,
        description="One person's word on one approval. Never changes.",
        columns=(
            _column("Approval", ".spec.approval"),
            _column("Decision", ".spec.decision"),
            _column("By", ".spec.by"),
            _AGE,
        ),
        spec_rules=(
            Rule(
                _IMMUTABLE,
                "spec is immutable: sign again, or revoke, with a new ModelSignature",
            ),
        ),
    ),
    Kind(
        kind="ModelMirror",
        plural="modelmirrors",
        short="mmir",
        scope="Cluster",
        spec=ModelMirrorSpec,
        status=ModelMirrorStatus,
        description="An internal server that holds weights; never trusted for their integrity.",
        columns=(
            _column(ConditionType.READY, _condition(ConditionType.READY, "status")),
            _column("Type", ".spec.type"),
            _column("URL", ".spec.url"),
            _column("Pulls", ".spec.maxConcurrentPulls", type="integer"),
            _column("Reason", _condition(ConditionType.READY, "reason")),
            _AGE,
        ),
        default_conditions=(ConditionType.READY,),
        spec_rules=tuple(Rule(one.cel, one.message) for one in MIRROR_RULES),
    ),
    Kind(
        kind="GPUNode",
        plural="gpunodes",
        short="gpun",
        scope="Cluster",
        spec=GPUNodeSpec,
        status=GPUNodeStatus,
        description="The weights wanted on a node, and the GPUs and weights it has. Made by the "
        "operator for each node with GPUs.",
        columns=(
            _column("GPU", ".status.gpus[0].product"),
            _column("GPUs", ".status.gpuSummary"),
            _column("Disk", ".status.store.free"),
            _column("Weights", ".status.summary"),
            _column("Inventory", _condition(ConditionType.INVENTORY_READY, "status")),
            _column("Store", _condition(ConditionType.STORE_READY, "status")),
            _AGE,
        ),
        default_conditions=(ConditionType.INVENTORY_READY, ConditionType.STORE_READY),
    ),
)
