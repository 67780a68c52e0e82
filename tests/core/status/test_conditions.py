"""core/status/conditions.py: reasons from one list, times that move only when a status flips."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre import reasons
from escadre.api.base import Condition
from escadre.api.wire import dump
from escadre.core.status.conditions import Leaf, false, merge, true, unknown
from escadre.core.status.told import Past
from escadre.core.status.told import past as told_past
from escadre.names import NEVER
from escadre.reasons import REASONS, Reason
from escadre.reasons.said import NOTHING, plain

EARLIER, NOW = "2026-11-22T06:00:00Z", "2026-11-22T06:15:00Z"


def past(type_: str, status: str, reason: Reason | str, since: str) -> Past:
    told = {"type": type_, "status": status, "reason": reason, "message": ""}
    return told_past(Condition.model_validate({**told, "lastTransitionTime": since}))


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        (
            "ApprovalNotFound",
            "ModelApproval small does not exist.",
            "Create and sign the approval, or correct spec.approval.",
        ),
        (
            "Loading",
            "1 of 2 ready",
            "Wait; loading large weights takes minutes.",
        ),
        (
            "NamespaceTerminating",
            "namespace team is being deleted",
            "",
        ),
    ],
)
def test_what_does_not_hold_says_the_next_step(reason: str, message: str, expected: str) -> None:
    leaf = false("Ready", reasons.of(reason), plain(message))
    (merged,) = merge([leaf], [], 1, NOW)
    assert merged.message == message
    assert (merged.next_step or "") == leaf.next_step == expected
    assert leaf.spoken == (f"{message.rstrip('.')}. Next: {expected}" if expected else message)


def test_what_holds_and_what_is_not_known_has_a_step_only_if_it_does_not_hold() -> None:
    assert true("Scaling", reasons.AT_MAXIMUM).next_step == ""
    assert unknown("Planned", reasons.EXPIRED).next_step.startswith("Draft a new approval")


def test_a_reason_of_a_newer_agent_is_passed_on() -> None:
    # An agent of the next version reports to this operator during an upgrade.
    leaf = false("WeightsReady", reasons.of("DiskOnFire"), plain("node a burns"))
    assert (leaf.spoken, leaf.next_step) == ("node a burns", "")


@pytest.mark.parametrize(
    ("before", "after", "time"),
    [
        pytest.param(None, true("A", reasons.READY), NOW, id="new"),
        pytest.param(("True", "Ready"), true("A", reasons.READY), EARLIER, id="same"),
        pytest.param(("True", "Ready"), true("A", reasons.SERVING), EARLIER, id="other-reason"),
        pytest.param(
            ("True", "Ready"), Leaf("A", "False", reasons.LOADING, NOTHING), NOW, id="flip"
        ),
        pytest.param(("True", "Ready"), unknown("A", reasons.PENDING), NOW, id="unknown"),
        pytest.param(
            ("Unknown", "Pending"), unknown("A", reasons.NOT_SCALING), EARLIER, id="still"
        ),
    ],
)
def test_a_transition_time_moves_only_when_the_status_flips(
    before: tuple[str, str] | None, after: Leaf, time: str
) -> None:
    previous = [past("A", *before, EARLIER)] if before else []
    (merged,) = merge([after], previous, 3, NOW)
    assert dump(merged)["lastTransitionTime"] == time
    assert merged.observed_generation == 3


def test_the_time_of_a_default_is_no_transition() -> None:
    # Conditions that nobody has written carry 1970: the first who looks says when that was.
    default = past("A", "Unknown", reasons.PENDING, NEVER)
    (merged,) = merge([unknown("A", reasons.NOT_SCALING)], [default], 1, NOW)
    assert dump(merged)["lastTransitionTime"] == NOW


def test_a_type_that_is_not_said_any_more_goes() -> None:
    previous = [past("Stalled", "True", reasons.INVALID_SPEC, EARLIER)]
    merged = merge([true("Ready", reasons.READY)], previous, 1, NOW)
    assert [one.type for one in merged] == ["Ready"]


@given(st.text(), st.sampled_from(list(REASONS.values())), st.sampled_from((true, false, unknown)))
def test_conditions_are_legal_whatever_the_message(
    message: str, reason: Reason, make: object
) -> None:
    assert callable(make)
    (merged,) = merge([make("Ready", reason, plain(message * 300))], [], 1, NOW)
    assert len(merged.message) <= 2048
    assert Condition.model_validate(dump(merged)) == merged
