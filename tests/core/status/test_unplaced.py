"""core/status/unplaced.py: what replicas without a node wait for, and from when on it is stuck."""

from dataclasses import replace
from datetime import datetime

import pytest
from tests.core.statuses import (
    NOW,
    before,
    built,
    conditions,
    facts,
    held,
    line,
    told,
    waiting,
    without_pods,
)

from escadre import reasons
from escadre.core.status.facts import ReplicaLine, StatusFacts

HOLD = "backup.example/hold"
_NOW = datetime.fromisoformat(NOW).timestamp()
_WEIGHTS = before("WeightsReady")
OTHER_HELD = replace(held(line(1, state="Pending"), HOLD), name="chat-1")


def pending(message: str = "") -> ReplicaLine:
    """Its pod waits since a moment ago."""
    return replace(line(state="Pending", message=message), since=_NOW - 1)


@pytest.mark.parametrize(
    ("given_facts", "expected", "words"),
    [
        pytest.param(facts(), ("Unknown", "NoReplicas"), "", id="none"),
        pytest.param(facts(line()), ("True", "Scheduled"), "1 replica placed", id="placed"),
        pytest.param(
            facts(pending("0/3 nodes are available"), previous=_WEIGHTS),
            ("False", "ReplicasPending"),
            "1 of 1 replicas wait for a node; chat-0: 0/3 nodes",
            id="a moment",
        ),
        pytest.param(
            facts(replace(waiting(), message="0/3 nodes"), previous=_WEIGHTS),
            ("False", "Unschedulable"),
            "chat-0: 0/3 nodes",
            id="for long",
        ),
        pytest.param(
            facts(waiting(reasons.POD_MISSING), previous=without_pods()),
            ("False", "PodMissing"),
            "nobody makes the pod of Deployment chat-0",
            id="no pod for long",
        ),
        pytest.param(
            facts(held(pending()), previous=_WEIGHTS),
            ("False", "ReplicasPending"),
            "PersistentVolumeClaim chat-abab was deleted and is made anew",
            id="a deleted claim",
        ),
        pytest.param(
            facts(held(pending(), HOLD, deleted=_NOW - 10), previous=_WEIGHTS),
            ("False", "ReplicasPending"),
            f"chat-abab (held by the finalizer {HOLD}) was deleted and is made anew",
            id="a claim that is held since a moment ago",
        ),
        pytest.param(
            facts(held(pending(), HOLD, deleted=_NOW - 360), previous=_WEIGHTS),
            ("False", "ClaimStuck"),
            f"chat-abab (held by the finalizer {HOLD}) was deleted and is made anew",
            id="a claim that is held for as long as a pod may wait",
        ),
        pytest.param(
            facts(
                held(replace(waiting(), message="0/3 nodes"), HOLD, deleted=_NOW - 10),
                previous=_WEIGHTS,
            ),
            ("False", "Unschedulable"),
            "chat-0: 0/3 nodes",
            id="an old wait does not make a claim stuck that was deleted a moment ago",
        ),
        pytest.param(
            facts(held(waiting()), previous=_WEIGHTS),
            ("False", "Unschedulable"),
            "chat-0",
            id="nor a claim that nobody else holds",
        ),
        pytest.param(
            facts(pending("0/3 nodes"), OTHER_HELD, previous=_WEIGHTS),
            ("False", "ClaimStuck"),
            "PersistentVolumeClaim chat-abab (held",
            id="the claim of another replica",
        ),
        pytest.param(
            facts(
                replace(waiting(), message="0/3 nodes"), line(1, state="Pending"), previous=_WEIGHTS
            ),
            ("False", "Unschedulable"),
            "2 of 2 replicas wait for a node; chat-0: 0/3 nodes",
            id="of two digests, the one that waits for too long",
        ),
    ],
)
def test_what_replicas_without_a_node_wait_for(
    given_facts: StatusFacts, expected: tuple[str, str], words: str
) -> None:
    assert told(given_facts, "Scheduled") == expected
    assert words in conditions(built(given_facts))["Scheduled"]["message"]


def test_a_stuck_claim_is_why_it_does_not_serve() -> None:
    found = conditions(built(facts(held(waiting(), HOLD))))["Serving"]
    assert (found["status"], found["reason"]) == ("False", "ClaimStuck")
    assert "0 of 1 needed replicas ready, 1 without a node" in found["message"]
