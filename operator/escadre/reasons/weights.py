"""Reasons of weights: where they are, and why they do not come."""

from escadre.names import ConditionType
from escadre.reasons.reason import Kind, Owner, Reason

WEIGHTS_VERIFIED = Reason(
    "WeightsVerified",
    Kind.SETTLED,
    "Every planned node holds the verified weights.",
    conditions=(ConditionType.WEIGHTS_READY,),
)
WEIGHTS_WAITING = Reason(
    "WeightsWaiting",
    Kind.UNDER_WAY,
    "The weights are not planned on a node yet.",
    "See the conditions Approved and Planned.",
    conditions=(ConditionType.WEIGHTS_READY,),
)
PULL_QUEUED = Reason(
    "PullQueued",
    Kind.UNDER_WAY,
    "The mirror's limit of concurrent pulls is reached.",
    "Wait, or raise spec.maxConcurrentPulls of the ModelMirror.",
    conditions=(ConditionType.WEIGHTS_READY,),
)
PULLING = Reason(
    "Pulling",
    Kind.UNDER_WAY,
    "The weights are being pulled and verified.",
    conditions=(ConditionType.WEIGHTS_READY,),
)
MIRROR_NOT_FOUND = Reason(
    "MirrorNotFound",
    Kind.MOVE,
    "None of the approval's ModelMirrors exists.",
    "Create the ModelMirror the approval names.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
)
MIRROR_INVALID = Reason(
    "MirrorInvalid",
    Kind.MOVE,
    "The ModelMirror cannot be read with this version's rules, so nothing is pulled from it.",
    "Correct the field of the ModelMirror that the message names.",
    owners=(Owner.MIRROR,),
    conditions=(
        ConditionType.READY,
        ConditionType.WEIGHTS_READY,
    ),
)
MIRROR_ACCEPTED = Reason(
    "MirrorAccepted",
    Kind.SETTLED,
    "The ModelMirror can be read, and no node that pulls from it fails.",
    conditions=(ConditionType.READY,),
)
MIRROR_ANSWERS = Reason(
    "MirrorAnswers",
    Kind.SETTLED,
    "One node asked the mirror a little and got the approved bytes; no node that pulls fails.",
    conditions=(ConditionType.READY,),
)
MIRROR_DOUBTED = Reason(
    "MirrorDoubted",
    Kind.UNDER_WAY,
    "A pull from the mirror failed since it was last asked; one node asks it again.",
    conditions=(ConditionType.READY,),
)
DIGEST_MISMATCH = Reason(
    "DigestMismatch",
    Kind.INCIDENT,
    "Bytes from the mirror are not the approved bytes; kept aside.",
    "Treat as an incident: compare the mirror's file with the approval, then mend it.",
    owners=(
        Owner.SECURITY,
        Owner.MIRROR,
    ),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
STORE_FULL = Reason(
    "StoreFull",
    Kind.MOVE,
    "The node's store has not enough free space.",
    "Free or enlarge the store's file system on the node.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
)
MIRROR_UNAVAILABLE = Reason(
    "MirrorUnavailable",
    Kind.MOVE,
    "The mirror does not answer or answers with errors.",
    "Check the mirror, and the network between it and where it is read.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
MIRROR_ADDRESS_REFUSED = Reason(
    "MirrorAddressRefused",
    Kind.MOVE,
    "The mirror's name leads to an address where the platform allows no mirror.",
    "Correct the ModelMirror, or list the address in the chart value agent.mirrorAllowedCIDRs and "
    "upgrade.",
    owners=(
        Owner.MIRROR,
        Owner.PLATFORM,
    ),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
UNAUTHORIZED = Reason(
    "Unauthorized",
    Kind.MOVE,
    "The mirror refuses the credentials.",
    "Correct the Secret that the ModelMirror names.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
MIRROR_FILE_NOT_FOUND = Reason(
    "MirrorFileNotFound",
    Kind.MOVE,
    "The mirror has no such file, most often the manifest.",
    "Publish the named file on the mirror.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
NOT_FOUND = Reason(
    "NotFound",
    Kind.MOVE,
    "As MirrorFileNotFound; agents before 0.3 say so.",
    "Publish the named file on the mirror.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
MIRROR_SLOW = Reason(
    "MirrorSlow",
    Kind.MOVE,
    "The mirror delivers far slower than expected.",
    "Check the mirror's load and the network.",
    owners=(Owner.MIRROR,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
SECRET_NOT_GRANTED = Reason(
    "SecretNotGranted",
    Kind.MOVE,
    "The agent may not read the Secret that the mirror names.",
    "List the Secret in the chart value agent.mirrorSecrets and upgrade.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
FOLDER_NOT_MOUNTED = Reason(
    "FolderNotMounted",
    Kind.MOVE,
    "The chart mounts no folder of the name that the mirror says.",
    "List the folder in the chart value agent.mirrorFolders and upgrade, or correct "
    "spec.folder.name.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
SECRET_NOT_FOUND = Reason(
    "SecretNotFound",
    Kind.MOVE,
    "The Secret that the mirror names is missing or has no credentials.",
    "Create the Secret with the keys that docs/operate/mirrors.md lists.",
    owners=(Owner.PLATFORM,),
    conditions=(ConditionType.WEIGHTS_READY,),
    elsewhere=True,
)
