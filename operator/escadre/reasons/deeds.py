"""Reasons of events that tell of a deed: once, not for as long as a state lasts."""

from escadre.reasons.reason import Kind, Reason

REPLICA_CREATED = Reason(
    "ReplicaCreated",
    Kind.SETTLED,
    "A replica was created.",
)
REPLICA_DRAINING = Reason(
    "ReplicaDraining",
    Kind.SETTLED,
    "A replica was taken out of the Service.",
)
REPLICA_DELETED = Reason(
    "ReplicaDeleted",
    Kind.SETTLED,
    "A drained replica was deleted.",
)
REPLICA_REPLACED = Reason(
    "ReplicaReplaced",
    Kind.SETTLED,
    "A replica was given the new inputs.",
)
CHILD_MENDED = Reason(
    "ChildMended",
    Kind.SETTLED,
    "A child was changed or deleted by hand and was put right.",
)
SCALED = Reason(
    "Scaled",
    Kind.SETTLED,
    "The number of replicas was changed.",
)
