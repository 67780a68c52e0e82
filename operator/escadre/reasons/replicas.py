"""Reasons of replicas and of the other children of a deployment."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

SCHEDULED = Reason(
    "Scheduled",
    Kind.SETTLED,
    "Every replica has a node.",
    conditions=(ConditionType.SCHEDULED,),
)
REPLICAS_PENDING = Reason(
    "ReplicasPending",
    Kind.UNDER_WAY,
    "A replica waits for a node.",
    "Wait; what does not come within the time of a drain is told as somebody's move.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
POD_REFUSED = Reason(
    "PodRefused",
    Kind.MOVE,
    "The API server refuses a replica's pod, in the words of its workload.",
    "Read the message: raise the quota, or mend the admission policy or LimitRange it names.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.PLATFORM,
    ),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
POD_MISSING = Reason(
    "PodMissing",
    Kind.MOVE,
    "Nobody makes a replica's pod, and nobody says why.",
    "Look whether kube-controller-manager runs, and whether the Deployment is paused.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
UNSCHEDULABLE = Reason(
    "Unschedulable",
    Kind.MOVE,
    "A replica got no node, although its weights are there and whatever left had time to leave.",
    "Free or mend what the scheduler names; kubectl describe pod says more.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
CLAIM_STUCK = Reason(
    "ClaimStuck",
    Kind.MOVE,
    "A replica's claim is being deleted for longer than a pod may wait, and something holds it.",
    "Have the finalizer that the message names taken off; kubectl describe pvc says more.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.PLATFORM,
    ),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
NODE_LOST = Reason(
    "NodeLost",
    Kind.MOVE,
    "The node of a replica is gone or not Ready, so nobody knows how its engine does.",
    "Look at the node, or delete it if it does not come back: its replicas are made anew where "
    "GPUs are free.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.SERVING,),
)
SERVING = Reason(
    "Serving",
    Kind.SETTLED,
    "At least minReplicas are ready on the current inputs.",
    conditions=(ConditionType.SERVING,),
)
LOADING = Reason(
    "Loading",
    Kind.UNDER_WAY,
    "Engines are starting.",
    "Wait; loading large weights takes minutes.",
    conditions=(ConditionType.SERVING,),
)
NOT_RESPONDING = Reason(
    "NotResponding",
    Kind.UNDER_WAY,
    "An engine was ready and its health check fails; its node starts it again.",
    "Wait for the time in the message; if it comes back often, look at its GPU and its log.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.SERVING,),
)
ENGINE_HUNG = Reason(
    "EngineHung",
    Kind.UNDER_WAY,
    "An engine had work and did none for three times its longest prompt, and gave no single token "
    "when asked, though its health check holds; it is made anew.",
    "Wait; if it comes back, look at its GPU and its log before it is gone.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.SERVING,),
)
ENGINE_FAILING = Reason(
    "EngineFailing",
    Kind.MOVE,
    "An engine ends, at its start or while it serves, or hangs and is not started again.",
    "Read the engine's message.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.SERVING,),
)
NO_REPLICAS = Reason(
    "NoReplicas",
    Kind.UNDER_WAY,
    "A needed replica does not exist yet.",
    "See the other conditions.",
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
)
NAME_TAKEN = Reason(
    "NameTaken",
    Kind.MOVE,
    "An object that is not escadre's has the name of a child.",
    "Rename or delete that object, or rename the deployment.",
    owners=(Owner.DEPLOYMENT,),
)
NAMESPACE_TERMINATING = Reason(
    "NamespaceTerminating",
    Kind.UNDER_WAY,
    "The namespace is being deleted.",
)
NAMESPACE_STUCK = Reason(
    "NamespaceStuck",
    Kind.MOVE,
    "The namespace is being deleted for longer than ten minutes.",
    "Read the conditions of the Namespace: they name what is left in it and whose finalizer holds "
    "it.",
    owners=(Owner.DEPLOYMENT,),
)
WRITE_REFUSED = Reason(
    "WriteRefused",
    Kind.MOVE,
    "The API server refuses a child.",
    "Read the message: quota, admission policy or missing rights.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.PLATFORM,
    ),
)
