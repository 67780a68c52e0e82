"""The table of truth of ModelDeployments: decided first, then held by code and by this table.

The verdict follows from the kind of the reason: what goes on by itself is in progress, what stays
until somebody acts has failed, whatever still answers; and a wait for named people is neither.
"""

from dataclasses import replace
from typing import Final

from tests.core.statuses import (
    DIGEST,
    MODEL,
    NO_GPUS,
    PULLS,
    REVOKED,
    ROLLING,
    TAKEN,
    before,
    built,
    facts,
    held,
    line,
    planned,
    waiting,
    weights,
    without_pods,
)
from tests.health.cell import (
    DONE,
    GOES_ON,
    STAYS,
    WAITS_FOR_PEOPLE,
    Cell,
    Json,
    Meaning,
    cell,
    stored,
    unseen,
)

from escadre import reasons
from escadre.core.profile import profile_for
from escadre.core.replicas.drain import Drain
from escadre.core.replicas.rollout import RolloutPlan
from escadre.core.status.engine import EngineSeen
from escadre.core.status.facts import MadeOf, ReplicaLine, StatusFacts
from escadre.names import ConditionType
from escadre.reasons import Reason
from escadre.reasons.said import plain

__all__ = ["DEPLOYMENTS"]

_OLD: Final = MadeOf("mistralai/Ministral-8B-Instruct-2410", f"sha256:{'c' * 64}", "ministral-8b")
_NEW: Final = MadeOf(MODEL.repository, DIGEST, MODEL.approval)


def _object(status: Json, generation: int = 1, **meta: str) -> Json:
    return stored("ModelDeployment", status, namespace="team", generation=generation, **meta)


def _cell(
    what: str,
    given: StatusFacts,
    ready: str,
    meaning: Meaning,
    available: str = "False",
) -> Cell:
    return cell(what, _object(built(given), given.generation), ready, meaning, available)


def _unapproved(reason: Reason, *replicas: ReplicaLine) -> StatusFacts:
    return facts(
        *replicas, approved=False, approval_reason=reason, approval_message="ModelApproval small"
    )


def _serves(slot: int = 0, state: str = "Ready") -> ReplicaLine:
    return replace(line(slot, state), made_of=_NEW)


def _old(slot: int = 0) -> ReplicaLine:
    return replace(line(slot, current=False), made_of=_OLD)


def _failed(reason: Reason) -> StatusFacts:
    entry = weights("Failed", reason=reason, message="what the agent says")
    return facts(line(state="Pending"), plan=planned(weights=(entry,)))


def _without_layout(reason: Reason) -> StatusFacts:
    return facts(plan=planned(layout=None, reason=reason, message=plain("numbers"), slots=()))


def _six(*others: ReplicaLine, **more: object) -> StatusFacts:
    """Four of six that are needed serve."""
    return facts(*map(_serves, range(4)), *others, desired=6, min_replicas=6, **more)


_EDITED: Final = Cell(
    "serves, and was edited a moment ago: no operator has looked at the edit",
    _object(built(facts(_serves())), generation=2),
    "True Ready",
    "-",
    "True",
    "InProgress",
    "Progressing",
)
_LEAVES: Final = Cell(
    "is being deleted",
    _object(built(facts(_serves())), deletionTimestamp="2026-11-22T06:15:00Z"),
    "True Ready",
    "-",
    "True",
    "Terminating",
    "Healthy",  # Argo CD asks no script then: it says Progressing itself
)
_BEGINS: Final = (
    _cell(
        "waits for signatures",
        _unapproved(reasons.SIGNATURES_MISSING),
        "False SignaturesMissing",
        WAITS_FOR_PEOPLE,
    ),
    _cell(
        "names an approval that does not exist",
        _unapproved(reasons.APPROVAL_NOT_FOUND),
        "False ApprovalNotFound",
        STAYS,
    ),
    _cell(
        "names an approval for other namespaces",
        _unapproved(reasons.NAMESPACE_NOT_ALLOWED),
        "False NamespaceNotAllowed",
        STAYS,
    ),
    _cell(
        "names an approval that nobody can read",
        _unapproved(reasons.APPROVAL_INVALID),
        "False ApprovalInvalid",
        STAYS,
    ),
    _cell("names a revoked approval", facts(**REVOKED), "False Revoked", STAYS),
    _cell("names an approval that has ended", _unapproved(reasons.EXPIRED), "False Expired", STAYS),
    _cell(
        "the admission policies of four eyes are missing",
        _unapproved(reasons.POLICY_MISSING),
        "False PolicyMissing",
        STAYS,
    ),
    _cell(
        "cannot be read with this version's rules",
        _unapproved(reasons.INVALID_SPEC),
        "False InvalidSpec",
        STAYS,
    ),
    _cell(
        "asks for more context than the model has",
        _without_layout(reasons.CONTEXT_TOO_LONG),
        "False ContextTooLong",
        STAYS,
    ),
    _cell(
        "its weights are quantised as the engine does not serve",
        _without_layout(reasons.QUANTIZATION_NOT_SERVED),
        "False QuantizationNotServed",
        STAYS,
    ),
    _cell(
        "no node of this cluster can hold it",
        _without_layout(reasons.NO_LAYOUT_FITS),
        "False NoLayoutFits",
        STAYS,
    ),
    _cell("all GPUs are taken", facts(plan=NO_GPUS), "False InsufficientGPUs", STAYS),
    _cell(
        "weights are being pulled",
        facts(line(state="Pending"), plan=PULLS),
        "False Pulling",
        GOES_ON,
    ),
    _cell(
        "the pull waits for another one",
        facts(line(state="Pending"), plan=planned(weights=(weights("Queued"),))),
        "False PullQueued",
        GOES_ON,
    ),
    _cell(
        "the mirror does not answer",
        _failed(reasons.MIRROR_UNAVAILABLE),
        "False MirrorUnavailable",
        STAYS,
    ),
    _cell(
        "the mirror sent other bytes than the approved ones",
        _failed(reasons.DIGEST_MISMATCH),
        "False DigestMismatch",
        STAYS,
    ),
    _cell("the node's store is full", _failed(reasons.STORE_FULL), "False StoreFull", STAYS),
    _cell(
        "a replica waits for its node",
        facts(line(state="Pending")),
        "False ReplicasPending",
        GOES_ON,
    ),
    _cell(
        "the API server refuses a replica's pod: quota, admission policy",
        facts(replace(line(state="Pending", message="quota"), hindered=reasons.POD_REFUSED)),
        "False PodRefused",
        STAYS,
    ),
    _cell(
        "a replica got no node for longer than a drain takes",
        facts(waiting(), previous=before(ConditionType.WEIGHTS_READY)),
        "False Unschedulable",
        STAYS,
    ),
    _cell(
        "a replica's claim is being deleted, and something holds it",
        facts(held(waiting(), "backup.example/hold")),
        "False ClaimStuck",
        STAYS,
    ),
    _cell(
        "nobody makes a replica's pod for longer than a drain takes",
        facts(waiting(reasons.POD_MISSING), previous=without_pods()),
        "False PodMissing",
        STAYS,
    ),
    _cell("the engine loads", facts(_serves(state="Loading")), "False Loading", GOES_ON),
    _cell("the engine ends", facts(_serves(state="Failing")), "False EngineFailing", STAYS),
    _cell("the Service cannot be made", facts(problem=TAKEN), "False NameTaken", STAYS),
)
_LIVES: Final = (
    _cell("serves all that is asked for", facts(_serves()), "True Ready", DONE, "True"),
    _cell(
        "serves, and more replicas come for the queue",
        facts(_serves(), _serves(1, "Loading"), desired=2),
        "True Ready",
        DONE,
        "True",
    ),
    _cell(
        "serves, and the approval ends soon",
        facts(_serves(), approval_message="ends in 3 days"),
        "True Ready",
        DONE,
        "True",
    ),
    _cell(
        "serves, with another version of the engine than layouts are judged for",
        facts(_serves(), engine=EngineSeen(profile_for("0.31"), (("chat-0", "0.32.0"),))),
        "True Ready",
        DONE,
        "True",
    ),
    _cell(
        "4 of 6 needed replicas serve, the others load",
        _six(_serves(4, "Loading"), _serves(5, "Loading")),
        "False Loading",
        GOES_ON,
        "True",
    ),
    _cell(
        "4 of 6 needed replicas serve, for the others no GPU is free",
        _six(plan=NO_GPUS),
        "False InsufficientGPUs",
        STAYS,
        "True",
    ),
    _cell(
        "4 of 6 needed replicas serve, an engine of the others ends",
        _six(_serves(4, "Failing"), _serves(5)),
        "False EngineFailing",
        STAYS,
        "True",
    ),
    _cell(
        "its only engine hangs and is about to be started again",
        facts(_serves(state="NotResponding")),
        "False NotResponding",
        GOES_ON,
    ),
    _cell(
        "the node of its only replica is gone or not Ready",
        facts(replace(line(state="NotResponding"), hindered=reasons.NODE_LOST)),
        "False NodeLost",
        STAYS,
    ),
    _cell(
        "its namespace is being deleted",
        facts(problem=(reasons.NAMESPACE_TERMINATING, "namespace team is being deleted")),
        "False NamespaceTerminating",
        GOES_ON,
    ),
    _cell(
        "its namespace is being deleted for ten minutes",
        facts(problem=(reasons.NAMESPACE_STUCK, "namespace team is being deleted since")),
        "False NamespaceStuck",
        STAYS,
    ),
    _cell(
        "its only replica finishes its requests and leaves",
        facts(replace(_serves(), view=replace(line().view, drain=Drain("Rollout", 0.0)))),
        "False Draining",
        GOES_ON,
    ),
    _cell(
        "a change is carried out, replica by replica",
        facts(_serves(), _old(1), rollout=ROLLING, desired=2, min_replicas=2),
        "False RollingOut",
        GOES_ON,
        "True",
    ),
    _cell(
        "a change of the platform waits for its turn",
        facts(
            _old(),
            rollout=RolloutPlan((), 1, plain("other first"), reasons.PLATFORM_CHANGE_QUEUED),
        ),
        "False PlatformChangeQueued",
        GOES_ON,
        "True",
    ),
    _cell(
        "a change of the platform broke another deployment and stops there",
        facts(
            _old(), rollout=RolloutPlan((), 1, plain("pair fails"), reasons.PLATFORM_CHANGE_HELD)
        ),
        "False PlatformChangeHeld",
        STAYS,
        "True",
    ),
    _cell(
        "was edited to a revoked approval: what served goes on",
        facts(_old(), **REVOKED),
        "False Revoked",
        STAYS,
        "True",
    ),
    _cell(
        "was edited to an approval that waits for signatures: what served goes on",
        _unapproved(reasons.SIGNATURES_MISSING, _old()),
        "False SignaturesMissing",
        WAITS_FOR_PEOPLE,
        "True",
    ),
    _cell(
        "the approval of what serves has ended",
        _unapproved(reasons.EXPIRED, _serves()),
        "False Expired",
        STAYS,
        "True",
    ),
    _cell(
        "the policies of four eyes were deleted while it serves",
        _unapproved(reasons.POLICY_MISSING, _serves()),
        "False PolicyMissing",
        STAYS,
        "True",
    ),
    _cell(
        "a child is refused by the API server while it serves",
        facts(_serves(), problem=(reasons.WRITE_REFUSED, "exceeded quota")),
        "False WriteRefused",
        STAYS,
        "True",
    ),
)

DEPLOYMENTS: Final = (unseen("ModelDeployment", "Unknown"), *_BEGINS, *_LIVES, _EDITED, _LEAVES)
