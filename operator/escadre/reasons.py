"""Every reason escadre gives: one list for conditions, events, logs and metrics.

docs/reference/reasons.md is generated from it. A reason is stable: its meaning never changes, and
it is never removed while an alert may name it.
"""

from dataclasses import dataclass
from typing import Final

__all__ = ["REASONS", "Reason", "next_step", "under_way"]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, what it means, and what its reader can do."""

    name: str
    meaning: str
    next_step: str


_LIST: tuple[Reason, ...] = (
    # Approval
    Reason("Approved", "Enough people signed this content and it is valid.", "Nothing."),
    Reason(
        "ApprovalNotFound",
        "No ModelApproval has the name the deployment gives.",
        "Create and sign the approval, or correct spec.approval.",
    ),
    Reason(
        "ApprovalInvalid",
        "The ModelApproval cannot be read with this version's rules.",
        "Draft the approval again with escadre approve draft.",
    ),
    Reason(
        "SignaturesMissing",
        "Fewer people signed than are required.",
        "Ask another authorised person to sign it.",
    ),
    Reason(
        "Expired",
        "The approval's notAfter has passed.",
        "Draft a new approval with a later notAfter and have it signed.",
    ),
    Reason(
        "Revoked",
        "Someone revoked the approval.",
        "Deploy another approved model, or draft and sign a new approval.",
    ),
    Reason(
        "NamespaceNotAllowed",
        "The approval does not name the deployment's namespace.",
        "Use an approval for this namespace, or draft a new one that names it.",
    ),
    Reason(
        "PolicyMissing",
        "The admission policies that enforce four eyes are missing or changed.",
        "helm upgrade escadre to restore its ValidatingAdmissionPolicies and bindings.",
    ),
    # Planning
    Reason("Planned", "A layout was found and every wanted replica has a node.", "Nothing."),
    Reason(
        "ContextTooLong",
        "contextLength is more than the model allows.",
        "Lower spec.contextLength to the model's maximum.",
    ),
    Reason(
        "TypicalTokensTooLong",
        "typicalTokens is more than contextLength.",
        "Lower spec.typicalTokens.",
    ),
    Reason(
        "NoGPUNodes",
        "No node offers nvidia.com/gpu with the labels of GPU feature discovery.",
        "Install the NVIDIA GPU Operator; see docs/operate/install.md.",
    ),
    Reason(
        "NoLayoutFits",
        "No legal layout on one node of this cluster holds the wish.",
        "Lower contextLength or concurrency, or add nodes with more GPU memory.",
    ),
    Reason(
        "HeadsNotDivisible",
        "Attention heads do not divide by the tensor parallel size.",
        "Nothing: another layout is tried.",
    ),
    Reason(
        "KeyValueHeadsNotDivisible",
        "Key-value heads do not divide by the tensor parallel size, nor it by them.",
        "Nothing: another layout is tried.",
    ),
    Reason(
        "IntermediateNotDivisible",
        "The feed-forward width does not divide by the tensor parallel size.",
        "Nothing: another layout is tried.",
    ),
    Reason(
        "DtypeNotSupported",
        "The GPU cannot compute in the weights' type.",
        "Nothing: another GPU product is tried.",
    ),
    Reason(
        "WeightsTooLarge",
        "The weights leave no memory for a key-value cache.",
        "Nothing: a larger layout is tried.",
    ),
    Reason(
        "CacheTooSmall",
        "The key-value cache is smaller than the wish needs.",
        "Nothing: a larger layout is tried.",
    ),
    Reason(
        "NodeTooSmall",
        "No node with this product has so many GPUs.",
        "Nothing: another layout is tried.",
    ),
    Reason(
        "InsufficientGPUs",
        "The layout is known, but no node has enough free GPUs now.",
        "Free GPUs, lower minReplicas of something, or add a node.",
    ),
    # Weights
    Reason("WeightsVerified", "Every planned node holds the verified weights.", "Nothing."),
    Reason(
        "WeightsWaiting",
        "The weights are not planned on a node yet.",
        "See the conditions Approved and Planned.",
    ),
    Reason(
        "PullQueued",
        "The mirror's limit of concurrent pulls is reached.",
        "Wait, or raise spec.maxConcurrentPulls of the ModelMirror.",
    ),
    Reason("Pulling", "The weights are being pulled and verified.", "Wait."),
    Reason(
        "MirrorNotFound",
        "None of the approval's ModelMirrors exists.",
        "Create the ModelMirror the approval names.",
    ),
    Reason(
        "DigestMismatch",
        "Bytes from the mirror are not the approved bytes; kept aside.",
        "Treat as an incident: compare the mirror's file with the approval, then mend it.",
    ),
    Reason(
        "StoreFull",
        "The node's store has not enough free space.",
        "Free or enlarge the store's file system on the node.",
    ),
    Reason(
        "MirrorUnavailable",
        "The mirror does not answer or answers with errors.",
        "Check the mirror and the network from the node.",
    ),
    Reason(
        "Unauthorized",
        "The mirror refuses the credentials.",
        "Correct the Secret that the ModelMirror names.",
    ),
    Reason("NotFound", "The mirror has no such file.", "Publish the named file on the mirror."),
    Reason(
        "MirrorSlow",
        "The mirror delivers far slower than expected.",
        "Check the mirror's load and the network.",
    ),
    Reason(
        "SecretNotGranted",
        "The agent may not read the Secret that the mirror names.",
        "List the Secret in the chart value agent.mirrorSecrets and upgrade.",
    ),
    Reason(
        "SecretNotFound",
        "The Secret that the mirror names is missing or has no credentials.",
        "Create the Secret with token, or username and password.",
    ),
    Reason(
        "AgentNotReady",
        "The node's agent is not ready, so its word is not believed.",
        "Look at the agent's pod on that node.",
    ),
    Reason(
        "NodeIdentityMismatch",
        "The agent's report is of another node, boot or store.",
        "Wait for the agent to report again; it does so by itself.",
    ),
    Reason(
        "StoreUnusable",
        "The agent cannot write its store.",
        "Check the store's path, file system and permissions on the node.",
    ),
    Reason("StoreReady", "The store can be written.", "Nothing."),
    Reason("InventoryReady", "The GPUs of the node are known.", "Nothing."),
    Reason(
        "NVMLUnavailable",
        "The agent cannot read the GPUs.",
        "Check the NVIDIA driver and the runtime class of the agent.",
    ),
    # Replicas
    Reason("Scheduled", "Every replica has a node.", "Nothing."),
    Reason(
        "ReplicasPending",
        "A replica waits for a node.",
        "Wait a minute; if it stays, free or mend what the scheduler names.",
    ),
    Reason("Serving", "At least minReplicas are ready on the current inputs.", "Nothing."),
    Reason("Loading", "Engines are starting.", "Wait; loading large weights takes minutes."),
    Reason("EngineFailing", "An engine exits at start.", "Read the engine's message."),
    Reason("NoReplicas", "A needed replica does not exist yet.", "See the other conditions."),
    Reason(
        "NameTaken",
        "An object that is not escadre's has the name of a child.",
        "Rename or delete that object, or rename the deployment.",
    ),
    Reason("NamespaceTerminating", "The namespace is being deleted.", "Nothing."),
    Reason(
        "WriteRefused",
        "The API server refuses a child.",
        "Read the message: quota, admission policy or missing rights.",
    ),
    Reason(
        "InvalidSpec",
        "The object cannot be read with this version's rules.",
        "Correct the named field.",
    ),
    # Work
    Reason("Ready", "At least minReplicas serve the current inputs.", "Nothing."),
    Reason("Progressing", "A change of spec, approval or platform is being carried out.", "Wait."),
    Reason("RollingOut", "Replicas are being replaced one at a time.", "Wait."),
    Reason("Draining", "A replica finishes its requests before it goes.", "Wait."),
    Reason("Pending", "Nobody looked at the object yet.", "Check that the operator runs."),
    # Scaling
    Reason("AtTarget", "The number of replicas fits the demand.", "Nothing."),
    Reason("DemandUp", "Demand asks for more replicas.", "Nothing."),
    Reason(
        "DemandDown",
        "Demand asked for fewer replicas for the whole stabilisation time.",
        "Nothing.",
    ),
    Reason("BoundsChanged", "minReplicas or maxReplicas changed.", "Nothing."),
    Reason(
        "AtMaximum",
        "Demand asks for more than maxReplicas.",
        "Raise scaling.maxReplicas if GPUs allow.",
    ),
    Reason("Stabilising", "Demand is lower; waiting before replicas go.", "Nothing."),
    Reason(
        "MetricsMissing",
        "A replica's metrics are missing or stale; the number is held.",
        "Look at the named replica.",
    ),
    Reason(
        "ScalingHeld",
        "Scaling up waits: the approval does not hold or no GPUs are free.",
        "See the conditions Approved and Planned.",
    ),
    Reason("NotScaling", "No replica serves yet, so there is no demand to read.", "Wait."),
    # Events of the operator
    Reason("ReplicaCreated", "A replica was created.", "Nothing."),
    Reason("ReplicaDraining", "A replica was taken out of the Service.", "Nothing."),
    Reason("ReplicaDeleted", "A drained replica was deleted.", "Nothing."),
    Reason("ReplicaReplaced", "A replica was given the new inputs.", "Nothing."),
    Reason("ChildMended", "A child was changed or deleted by hand and was put right.", "Nothing."),
    Reason("Scaled", "The number of replicas was changed.", "Nothing."),
    Reason(
        "InternalError",
        "The operator met a case it does not know.",
        "Report it with the operator's log.",
    ),
)

REASONS: Final[dict[str, Reason]] = {reason.name: reason for reason in _LIST}


def under_way(name: str) -> bool:
    """Whether the reader has nothing to do but wait; False for a reason that is not listed."""
    known = REASONS.get(name)
    return known is not None and known.next_step.startswith(("Wait", "Nothing"))


def next_step(name: str) -> str:
    """What the reader of a refusal can do; raises KeyError for an unlisted reason."""
    return REASONS[name].next_step
