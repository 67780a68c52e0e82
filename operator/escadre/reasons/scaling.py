"""Reasons of scaling: what the number of replicas rests on."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

AT_TARGET = Reason(
    "AtTarget",
    Kind.SETTLED,
    "The number of replicas fits the demand.",
    conditions=(ConditionType.SCALING,),
)
DEMAND_UP = Reason(
    "DemandUp",
    Kind.SETTLED,
    "Demand asks for more replicas.",
    conditions=(ConditionType.SCALING,),
)
DEMAND_DOWN = Reason(
    "DemandDown",
    Kind.SETTLED,
    "Demand asked for fewer replicas for the whole stabilisation time.",
    conditions=(ConditionType.SCALING,),
)
BOUNDS_CHANGED = Reason(
    "BoundsChanged",
    Kind.SETTLED,
    "minReplicas or maxReplicas changed.",
    conditions=(ConditionType.SCALING,),
)
SCHEDULE_BEGAN = Reason(
    "ScheduleBegan",
    Kind.SETTLED,
    "A window of scaling.schedules began, which asks for more replicas.",
    conditions=(ConditionType.SCALING,),
)
AT_MAXIMUM = Reason(
    "AtMaximum",
    Kind.MOVE,
    "Demand asks for more than maxReplicas.",
    "Raise scaling.maxReplicas if GPUs allow.",
    owners=(Owner.DEPLOYMENT,),
    conditions=(ConditionType.SCALING,),
)
STABILISING = Reason(
    "Stabilising",
    Kind.UNDER_WAY,
    "Demand is lower; waiting before replicas go.",
    conditions=(ConditionType.SCALING,),
)
METRICS_MISSING = Reason(
    "MetricsMissing",
    Kind.MOVE,
    "A replica's metrics are missing or stale; the number is held.",
    "Look at the named replica.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.SCALING,),
)
SCALING_HELD = Reason(
    "ScalingHeld",
    Kind.MOVE,
    "Scaling up waits: the approval does not hold or no GPUs are free.",
    "See the conditions Approved and Planned.",
    owners=(
        Owner.DEPLOYMENT,
        Owner.PLATFORM,
    ),
    conditions=(ConditionType.SCALING,),
)
NOT_SCALING = Reason(
    "NotScaling",
    Kind.UNDER_WAY,
    "No replica serves yet, so there is no demand to read.",
    conditions=(ConditionType.SCALING,),
)
