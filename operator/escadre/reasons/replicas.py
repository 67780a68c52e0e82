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
    "Wait a minute; if it stays, free or mend what the scheduler names.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.SCHEDULED,
        ConditionType.SERVING,
    ),
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
