"""Reasons of a deployment as a whole, and of an object that nobody looked at or can read."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

READY = Reason(
    "Ready",
    Kind.SETTLED,
    "At least minReplicas serve the current inputs.",
    conditions=(ConditionType.READY,),
)
AVAILABLE = Reason(
    "Available",
    Kind.SETTLED,
    "At least minReplicas answer, of whatever model.",
    conditions=(ConditionType.AVAILABLE,),
)
DEGRADED = Reason(
    "Degraded",
    Kind.SETTLED,
    "The endpoint answers, with fewer replicas than minReplicas.",
    conditions=(ConditionType.AVAILABLE,),
)
UNAVAILABLE = Reason(
    "Unavailable",
    Kind.UNDER_WAY,
    "Nothing answers.",
    "See the condition Ready.",
    conditions=(ConditionType.AVAILABLE,),
)
PROGRESSING = Reason(
    "Progressing",
    Kind.UNDER_WAY,
    "Not given any more, and kept for alerts that name it: Reconciling has the reason of Ready.",
    conditions=(ConditionType.RECONCILING,),
)
ROLLING_OUT = Reason(
    "RollingOut",
    Kind.UNDER_WAY,
    "Replicas are being replaced one at a time.",
    conditions=(
        ConditionType.RECONCILING,
        ConditionType.SERVING,
    ),
)
PLATFORM_CHANGE_QUEUED = Reason(
    "PlatformChangeQueued",
    Kind.UNDER_WAY,
    "The engine's image or values changed; the deployments follow one after the other.",
    conditions=(
        ConditionType.RECONCILING,
        ConditionType.SERVING,
    ),
)
PLATFORM_CHANGE_HELD = Reason(
    "PlatformChangeHeld",
    Kind.MOVE,
    "The engine's image or values changed, and an engine of another deployment does not start "
    "with them.",
    "Undo or correct the change of the chart's engine values, or mend the deployment named.",
    owners=(Owner.PLATFORM,),
    conditions=(
        ConditionType.STALLED,
        ConditionType.SERVING,
    ),
)
DRAINING = Reason(
    "Draining",
    Kind.UNDER_WAY,
    "A replica finishes its requests before it goes.",
    conditions=(ConditionType.SERVING,),
)
INVALID_SPEC = Reason(
    "InvalidSpec",
    Kind.MOVE,
    "The object cannot be read with this version's rules.",
    "Correct the named field.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(
        ConditionType.APPROVED,
        ConditionType.PLANNED,
        ConditionType.WEIGHTS_READY,
        ConditionType.SERVING,
        ConditionType.SCALING,
        ConditionType.STALLED,
    ),
)
PENDING = Reason(
    "Pending",
    Kind.MOVE,
    "Nobody looked at the object yet.",
    "Check that the operator runs.",
    owners=(Owner.PLATFORM,),
)
NO_OPERATOR_LEADS = Reason(
    "NoOperatorLeads",
    Kind.MOVE,
    "No operator leads: nothing is looked at or mended, and every status is as the last one left "
    "it.",
    "Look at the operator's pods and their log, and bring one back.",
    owners=(Owner.PLATFORM,),
)
INTERNAL_ERROR = Reason(
    "InternalError",
    Kind.INCIDENT,
    "The operator met a case it does not know.",
    "Report it with the operator's log.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
)
