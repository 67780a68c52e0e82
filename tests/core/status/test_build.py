"""core/status/build.py: which reason is told, what counts as work, what a change of essence is."""

from dataclasses import replace

import pytest
from tests.core.statuses import (
    DECISION,
    NO_GPUS,
    NOW,
    PULLS,
    REVOKED,
    ROLLING,
    SCHEMA,
    TAKEN,
    UNREAD,
    VERIFIED,
    before,
    built,
    conditions,
    facts,
    line,
    planned,
    told,
    told_before,
    weights,
)

from escadre import reasons
from escadre.api.deployment import WeightsOnNode
from escadre.core.replicas.drain import Drain
from escadre.core.status.facts import StatusFacts
from escadre.reasons.said import plain

# -- Ready ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_facts", "expected"),
    [
        pytest.param(facts(line()), ("True", "Ready"), id="ready"),
        pytest.param(
            facts(line(), problem=TAKEN, unreachable=True), ("False", "NameTaken"), id="no-service"
        ),
        pytest.param(
            facts(line(), problem=(reasons.WRITE_REFUSED, "quota")),
            ("False", "WriteRefused"),
            id="serves-but-a-child-is-refused",
        ),
        pytest.param(facts(line(), **REVOKED), ("False", "Revoked"), id="revoked-while-serving"),
        pytest.param(
            facts(line(current=False), **REVOKED),
            ("False", "Revoked"),
            id="revoked-while-serving-other-inputs",
        ),
        pytest.param(
            facts(line(state="Loading"), **REVOKED), ("False", "Revoked"), id="revoked-and-down"
        ),
        pytest.param(
            facts(problem=TAKEN, unreachable=True, plan=NO_GPUS, **REVOKED),
            ("False", "NameTaken"),
            id="problem",
        ),
        pytest.param(facts(plan=NO_GPUS, **REVOKED), ("False", "Revoked"), id="approval"),
        pytest.param(facts(plan=NO_GPUS), ("False", "InsufficientGPUs"), id="planning"),
        pytest.param(
            facts(line(state="Pending"), plan=replace(NO_GPUS, weights=PULLS.weights)),
            ("False", "InsufficientGPUs"),
            id="planning-before-weights",
        ),
        pytest.param(facts(line(state="Pending"), plan=PULLS), ("False", "Pulling"), id="weights"),
        pytest.param(facts(line(state="Pending")), ("False", "ReplicasPending"), id="scheduling"),
        pytest.param(facts(line(state="Loading")), ("False", "Loading"), id="loading"),
        pytest.param(facts(line(state="Failing")), ("False", "EngineFailing"), id="failing"),
        pytest.param(facts(line(state="NotResponding")), ("False", "NotResponding"), id="hangs"),
        pytest.param(facts(), ("False", "NoReplicas"), id="nothing-yet"),
        pytest.param(
            facts(line(current=False), rollout=ROLLING), ("False", "RollingOut"), id="outdated"
        ),
        pytest.param(
            facts(line(), line(1, state="Loading"), min_replicas=2), ("False", "Loading"), id="few"
        ),
        pytest.param(
            facts(line(), line(1, state="Failing"), min_replicas=1), ("True", "Ready"), id="enough"
        ),
    ],
)
def test_ready_is_told_with_what_blocks_first(
    given_facts: StatusFacts, expected: tuple[str, str]
) -> None:
    assert told(given_facts) == expected


@pytest.mark.parametrize(
    ("given_facts", "type_", "expected", "words"),
    [
        (facts(**REVOKED), "Approved", ("False", "Revoked"), "carla did"),
        (facts(line()), "Approved", ("True", "Approved"), "anna, bruno"),
        (facts(**REVOKED), "Planned", ("Unknown", "Revoked"), "waits for an approval"),
        (
            facts(approved=False, approval_reason=reasons.INVALID_SPEC, approval_message="spec.x"),
            "Planned",
            ("Unknown", "InvalidSpec"),
            "the spec cannot be read",
        ),
        (
            facts(
                line(),
                plan=planned(layout=None, reason=None),
                approved=False,
                approval_reason=reasons.INVALID_SPEC,
                approval_message="spec.x",
            ),
            "Planned",
            ("Unknown", "InvalidSpec"),
            "the spec cannot be read",
        ),
        *(
            (facts(line(), **UNREAD), type_, ("Unknown", "InvalidSpec"), words)
            for type_, words in (
                ("Scaling", "no queue is read: the spec cannot be read"),
                ("WeightsReady", "is not known: the spec cannot be read"),
            )
        ),
        (
            facts(line(), plan=planned(layout=None, reason=None), **REVOKED),
            "Planned",
            ("Unknown", "Revoked"),
            "no layout while the approval waits",
        ),
        (facts(plan=None), "Planned", ("Unknown", "Pending"), "no planning pass"),
        (facts(line()), "Planned", ("True", "Planned"), "576,716 tokens"),
        (facts(plan=NO_GPUS), "Planned", ("False", "InsufficientGPUs"), "2 GPUs wanted, 1 free"),
        (facts(plan=None), "WeightsReady", ("Unknown", "WeightsWaiting"), "no node"),
        (facts(line()), "WeightsReady", ("True", "WeightsVerified"), "gpu-0"),
        (facts(plan=PULLS), "WeightsReady", ("False", "Pulling"), "(50 %)"),
        (
            facts(line(state="Failing", message="exited with 1")),
            "Serving",
            ("False", "EngineFailing"),
            "chat-0 exited with 1",
        ),
        (
            facts(line(state="Pending")),
            "Serving",
            ("False", "ReplicasPending"),
            "0 of 1 needed replicas ready, 1 without a node",
        ),
        (
            facts(line(), min_replicas=3),
            "Serving",
            ("False", "NoReplicas"),
            "1 of 3 needed replicas ready, 2 not made yet",
        ),
        (
            facts(line(drain=Drain("ScaleDown", 0.0)), line(1, state="Loading"), min_replicas=2),
            "Serving",
            ("False", "Loading"),
            "0 of 2",
        ),
        (
            facts(line(drain=Drain("ScaleDown", 0.0))),
            "Serving",
            ("False", "Draining"),
            "0 of 1 needed replicas ready, the others leave",
        ),
        (facts(decision=None), "Scaling", ("Unknown", "NotScaling"), ""),
        (facts(line()), "Scaling", ("True", "AtTarget"), "demand 3 of 24"),
        (
            facts(
                line(),
                decision=replace(DECISION, reason=reasons.METRICS_MISSING, message=plain("slot 0")),
            ),
            "Scaling",
            ("False", "MetricsMissing"),
            "slot 0",
        ),
        (
            facts(
                line(),
                decision=replace(DECISION, reason=reasons.SCALING_HELD, message=plain("held")),
            ),
            "Scaling",
            ("False", "ScalingHeld"),
            "held",
        ),
        (
            facts(
                line(),
                decision=replace(DECISION, reason=reasons.NOT_SCALING, message=plain("loads")),
            ),
            "Scaling",
            ("Unknown", "NotScaling"),
            "loads",
        ),
    ],
)
def test_leaves(
    given_facts: StatusFacts, type_: str, expected: tuple[str, str], words: str
) -> None:
    found = conditions(built(given_facts))[type_]
    assert (found["status"], found["reason"]) == expected
    assert words in found["message"]


@pytest.mark.parametrize(
    ("entries", "reason", "words"),
    [
        pytest.param(
            [weights("Failed", reason=reasons.DIGEST_MISMATCH, message="chunk 3 of a.safetensors")],
            "DigestMismatch",
            "node gpu-0: chunk 3",
            id="failed",
        ),
        pytest.param(
            [weights(), weights("Failed", node="gpu-1", reason=reasons.STORE_FULL, message="full")],
            "StoreFull",
            "gpu-1: full (2 of 2 nodes wait)",
            id="the-worst-is-told",
        ),
        pytest.param(
            [
                weights(
                    bytes_done=4 * 10**8,
                    bytes_total=10**9,
                    message="no byte from mirror m since 14:13:20 UTC",
                )
            ],
            "Pulling",
            "node gpu-0 pulled 400 of 1,000 MB (40 %): no byte from mirror m since 14:13:20 UTC",
            id="a-silent-mirror",
        ),
        pytest.param(
            [weights(message="no byte from mirror m since 14:13:20 UTC")],
            "Pulling",
            "node gpu-0: no byte from mirror m since 14:13:20 UTC",
            id="a-mirror-silent-from-the-start",
        ),
        pytest.param(
            [VERIFIED, weights("Queued", node="gpu-1", mirror="internal")],
            "PullQueued",
            "free pull of mirror internal (1 of 2",
            id="queued",
        ),
        pytest.param(
            [weights("Queued", reason=reasons.MIRROR_NOT_FOUND, message="no mirror")],
            "MirrorNotFound",
            "no mirror",
            id="queued-with-a-reason",
        ),
        pytest.param([weights("Wanted", mirror="m")], "Pulling", "told to pull", id="wanted"),
        pytest.param(
            [
                weights(
                    "Wanted",
                    mirror="m",
                    bytes_total=10**9,
                    reason=reasons.AGENT_NOT_READY,
                    message="its agent has not reported yet",
                )
            ],
            "AgentNotReady",
            "node gpu-0: its agent has not reported yet",
            id="wanted-of-a-silent-agent",
        ),
        pytest.param(
            [
                weights(
                    bytes_done=12_000_000_000,
                    bytes_total=48_000_000_000,
                    bytes_per_second=500_000_000,
                    eta_seconds=72,
                    mirror="m",
                )
            ],
            "Pulling",
            "12 of 48 GB (25 %) from mirror m at 500 MB/s, 1m12s left",
            id="progress",
        ),
        pytest.param(
            [weights("Failed", reason="DiskOnFire", message="it burns")],
            "DiskOnFire",
            "it burns",
            id="reason-of-a-newer-agent",
        ),
        pytest.param([weights("Failed")], "Pulling", "failed", id="failed-without-words"),
    ],
)
def test_weights(entries: list[WeightsOnNode], reason: str, words: str) -> None:
    found = conditions(built(facts(plan=planned(weights=tuple(entries)))))["WeightsReady"]
    assert (found["status"], found["reason"]) == ("False", reason)
    assert words in found["message"]


# -- work -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_facts", "types"),
    [
        pytest.param(facts(line(state="Loading")), {"Reconciling"}, id="new"),
        pytest.param(facts(line()), set(), id="ready"),
        pytest.param(
            facts(line(state="Loading"), previous=before("Reconciling")),
            {"Reconciling"},
            id="goes-on-until-ready",
        ),
        pytest.param(facts(line(), previous=before("Reconciling")), set(), id="is-done"),
        pytest.param(
            facts(line(state="Loading"), previous=before("Ready")),
            {"Reconciling"},
            id="a-replica-was-lost",
        ),
        pytest.param(
            facts(line(), line(1, state="Loading"), desired=2, previous=before("Ready")),
            set(),
            id="scaling-up-is-no-work-of-a-change",
        ),
        pytest.param(
            facts(line(), line(1, drain=Drain("ScaleDown", 0.0)), previous=before("Ready")),
            set(),
            id="scaling-down-neither",
        ),
        pytest.param(
            facts(line(current=False), rollout=ROLLING, previous=before("Ready")),
            {"Reconciling"},
            id="rollout-after-a-change-of-approval-or-platform",
        ),
        pytest.param(
            facts(line(), line(1, current=False), rollout=ROLLING, previous=before("Ready")),
            {"Reconciling"},
            id="rollout-with-enough-ready",
        ),
        pytest.param(
            facts(line(state="Loading"), generation=2, previous=before("Ready")),
            {"Reconciling"},
            id="spec-edited",
        ),
        pytest.param(
            facts(
                plan=planned(layout=None, reason=reasons.CONTEXT_TOO_LONG, message=plain("9 > 8"))
            ),
            {"Stalled"},
            id="too-long",
        ),
        pytest.param(
            facts(approved=False, approval_reason=reasons.INVALID_SPEC, approval_message="spec.x"),
            {"Stalled"},
            id="invalid",
        ),
        pytest.param(
            facts(
                approved=False, approval_reason=reasons.APPROVAL_NOT_FOUND, approval_message="none"
            ),
            {"Stalled"},
            id="missing-approval",
        ),
        pytest.param(
            facts(
                approved=False, approval_reason=reasons.SIGNATURES_MISSING, approval_message="1/2"
            ),
            {"Reconciling"},
            id="named-people-are-waited-for",
        ),
        pytest.param(facts(problem=TAKEN), {"Stalled"}, id="name-taken"),
        pytest.param(facts(plan=NO_GPUS), {"Stalled"}, id="no-gpus"),
        pytest.param(facts(line(), **REVOKED), {"Stalled"}, id="revoked-while-serving"),
        pytest.param(
            facts(line(state="Loading"), previous=before("Stalled")),
            {"Reconciling"},
            id="what-was-stalled-is-worked-on",
        ),
    ],
)
def test_reconciling_and_stalled(given_facts: StatusFacts, types: set[str]) -> None:
    found = conditions(built(given_facts))
    assert {"Reconciling", "Stalled"} & set(found) == types
    assert all(found[one]["status"] == "True" for one in types)
    assert all(found[one].get("nextStep") == found["Ready"].get("nextStep") for one in types)


def test_the_operator_says_at_least_what_the_schema_puts_there() -> None:
    # A condition put there by a default has no manager: apply would never remove it.
    defaults = SCHEMA["default"]["conditions"]
    assert {one["type"] for one in defaults} <= set(conditions(built(facts())))
    assert all(one["status"] == "Unknown" for one in defaults)


def test_transition_times_stay_while_the_status_stays() -> None:
    first = built(facts(line()))
    held = replace(DECISION, reason=reasons.METRICS_MISSING)
    later = built(
        facts(line(), previous=told_before(first), now="2026-11-22T07:00:00Z", decision=held)
    )
    times = {type_: one["lastTransitionTime"] for type_, one in conditions(later).items()}
    assert times.pop("Scaling") == "2026-11-22T07:00:00Z"
    assert set(times.values()) == {NOW}


def test_a_layout_that_was_bound_says_what_it_would_have_been() -> None:
    found = built(facts(line(), plan=planned(without_override="1×H100 tp1")))
    assert found["plan"]["withoutOverride"] == "1×H100 tp1"
    message = conditions(found)["Planned"]["message"]
    assert message.endswith("; without spec.layout: 1×H100 tp1")
    assert "withoutOverride" not in built(facts(line()))["plan"]
