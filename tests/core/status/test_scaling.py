"""core/status/scaling.py: what is told of the number of replicas, and when it is worth a write."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.statuses import DECISION, UNREAD, Json, built, facts, line, planned, told_before

from escadre import reasons
from escadre.api.scalingstatus import LearnedSpeed
from escadre.core.fleet.plan import SlotPlan
from escadre.core.scaling.capacity import Capacity, Mix
from escadre.core.scaling.decision import (
    Asked,
    Decision,
    Limits,
    Recommendation,
    Sample,
    ScaleState,
    Windows,
)
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.history import KEPT, Change, joined
from escadre.core.scaling.policy import decide
from escadre.core.scaling.skew import Skew
from escadre.core.scaling.step import Bounds
from escadre.core.status.build import answer
from escadre.reasons.said import NOTHING, plain

WINDOWS = Windows(300.0, 15.0)
LIMITS = Limits(1, 4, 24)
BOUNDS = Bounds(1, 4)
NOW = 1000.0
NOW_TEXT = "1970-01-01T00:16:40Z"


def ready(demand: int, slot: int = 0, at: float = NOW) -> Sample:
    return Sample(slot, "ready", Demand(demand, 0, at))


def told(decision: Decision, **more: Any) -> Json:
    found: Json = built(facts(line(), decision=decision, now=NOW_TEXT, **more))["scaling"]
    return found


def scaling(desired: int, *samples: Sample, bounds: Bounds = BOUNDS, **more: Any) -> Json:
    """What is told after a decision at second 1000 that had seen a whole window."""
    limits = replace(LIMITS, minimum=bounds.minimum, maximum=bounds.maximum, window=bounds.window)
    state = ScaleState(desired, 0.0, (Recommendation(990.0, desired),))
    return told(decide(state, samples, limits, WINDOWS, NOW), bounds=bounds, **more)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            scaling(2, ready(40)),
            {
                "signal": "Requests",
                "signalAgeSeconds": None,
                "demand": 40,
                "capacity": 24,
                "capacityFrom": "Fixed",
                "desiredBeforeLimits": 2,
                "limits": [],
                "minReplicas": 1,
                "nextChangeAt": None,
            },
            id="the number fits",
        ),
        pytest.param(scaling(4, ready(400)), {"limits": ["maxReplicas"]}, id="at most"),
        pytest.param(scaling(1, ready(0)), {"limits": ["minReplicas"]}, id="at least"),
        pytest.param(
            scaling(3, ready(30)),
            {"limits": ["stabilisation"], "nextChangeAt": "1970-01-01T00:21:30Z"},
            id="not fewer yet",
        ),
        pytest.param(
            scaling(4, ready(0), bounds=Bounds(4, 6, window=1, changes_at=4000.5)),
            {
                "limits": ["schedule"],
                "minReplicas": 4,
                "schedule": 1,
                "nextChangeAt": "1970-01-01T01:06:40Z",
            },
            id="a window is open",
        ),
        pytest.param(
            scaling(2, ready(9), Sample(1, "unscrapable")),
            {"signal": "Partial", "limits": ["unknown"], "demand": 9},
            id="of one the metrics are missing",
        ),
        pytest.param(
            scaling(2, Sample(0, "unscrapable")),
            {"signal": "Unknown", "demand": None, "desiredBeforeLimits": None},
            id="of all the metrics are missing",
        ),
        pytest.param(
            scaling(2, ready(40, at=988.0)), {"signalAgeSeconds": 10}, id="the reading is old"
        ),
    ],
)
def test_what_the_number_rests_on(told: Json, expected: Json) -> None:
    assert {key: told.get(key) for key in expected} == expected


def test_a_rate_is_told_by_the_minute_and_with_where_the_capacity_is_from() -> None:
    capacity = Capacity(rate=2.04, requests=11.6, work=0.4, bound="between tokens")
    asked = Asked(3, 3, 2.5, rate=5.168, mix=Mix(1000, 200), capacity=capacity)
    found = told(replace(DECISION, age=1.0, asked=asked))
    assert (found["signal"], found["requestsPerMinute"]) == ("Rate", 310)
    assert (found["capacity"], found["capacityPerMinute"]) == (12, 122)
    assert (found["capacityFrom"], found["desiredBeforeLimits"]) == ("Prior", 3)


def test_skew_and_names_that_vllm_has_given_up_are_told_where_they_hold() -> None:
    bare = told(DECISION)
    assert not {"skew", "metricAliases"} & set(bare)
    old = ("vllm:gpu_cache_usage_perc", "vllm:time_per_output_token_seconds_sum")
    found = told(replace(DECISION, skew=Skew(0, 16, 2, 1), old_names=old))
    assert found["metricAliases"] == list(old)
    assert found["skew"] == {
        "fullest": 0,
        "fullestRequests": 16,
        "emptiest": 2,
        "emptiestRequests": 1,
    }


def test_before_anything_serves_no_demand_is_told() -> None:
    decision = decide(ScaleState(1, 900.0), [], LIMITS, WINDOWS, NOW)
    found = built(facts(decision=decision))["scaling"]
    assert found["signal"] == "Unknown"
    assert not {"demand", "desiredBeforeLimits"} & set(found)


def test_what_scarcity_denies_is_told_with_who_holds_the_gpus() -> None:
    held = "1 of 2 replicas have no node: needs 2 free GPUs; gpu-0: 8 held by team/other (8)"
    slots = (
        SlotPlan(0, "gpu-0", None, "", reasons.PLANNED, NOTHING),
        SlotPlan(1, None, None, "", reasons.INSUFFICIENT_GPUS, plain(held)),
    )
    plan = planned(reason=reasons.INSUFFICIENT_GPUS, message=plain(held), slots=slots)
    found = scaling(2, ready(40), plan=plan)
    assert found["denied"] == {"replicas": 1, "message": held}
    assert found["limits"] == ["gpus"]


def test_numbers_may_wait_and_a_change_of_the_number_may_not() -> None:
    def essence(demand: int, *changes: Change) -> bytes:
        decision = decide(ScaleState(1, 0.0), [ready(demand)], LIMITS, WINDOWS, NOW)
        return answer(facts(line(), decision=decision, changes=changes)).essence()

    assert essence(5) == essence(9)
    skewed = replace(DECISION, skew=Skew(0, 16, 2, 1))
    moved = replace(DECISION, skew=Skew(0, 12, 1, 0))
    assert answer(facts(line(), decision=skewed)).essence() == (
        answer(facts(line(), decision=moved)).essence()
    )
    assert essence(5) != essence(5, Change(1, 2, 40, 24, reasons.DEMAND_UP, 60))


def test_without_a_decision_what_was_told_is_said_again() -> None:
    first = answer(facts(line())).status
    again = facts(
        line(), decision=None, scaling=first.scaling, previous=told_before(built(facts(line())))
    )
    assert answer(again).status.scaling == first.scaling
    assert answer(replace(again, scaling=None)).status.scaling is None


def test_of_a_spec_that_cannot_be_read_no_old_numbers_are_told() -> None:
    """Nothing is read then, and the last demand would look like the one of now."""
    changes = (Change(1, 2, 40, 24, reasons.DEMAND_UP, 60),)
    told = answer(facts(line(), changes=changes)).status.scaling
    assert told is not None
    assert told.capacity is not None
    learned = LearnedSpeed(
        key="0" * 16,
        prompt_percent=90,
        step_percent=90,
        request_percent=90,
        cached_token_percent=90,
    )
    told = told.model_copy(update={"learned": learned, "kept_for_bursts": 3, "shared_percent": 80})
    now = answer(facts(line(), scaling=told, changes=changes, **UNREAD)).status.scaling
    assert now is not None
    assert now.model_dump(exclude_none=True) == {
        "signal": "Unknown",
        "learned": learned.model_dump(),
        "kept_for_bursts": 3,
        "shared_percent": 80,
        "limits": [],
        "history": [one.model_dump(exclude_none=True) for one in told.history],
    }


def test_a_spec_that_is_mended_is_not_told_as_unread_again() -> None:
    """The next decision is a round away."""
    unread = told_before(built(facts(line(), **UNREAD)))
    again = built(facts(line(), decision=None, previous=unread))
    (scaling,) = (one for one in again["conditions"] if one["type"] == "Scaling")
    assert (scaling["status"], scaling["reason"]) == ("Unknown", "NotScaling")


_CHANGES = st.lists(
    st.builds(
        Change,
        was=st.integers(0, 9),
        to=st.integers(0, 9),
        demand=st.integers(0, 999),
        target=st.integers(1, 99),
        reason=st.just(reasons.DEMAND_UP),
        at=st.just(0),
    ),
    max_size=50,
).map(lambda some: tuple(one._replace(at=at) for at, one in enumerate(some, 1)))


@given(_CHANGES, st.integers(0, 50), st.integers(0, 50))
def test_what_is_told_and_what_is_remembered_are_joined_without_a_change_twice(
    changes: tuple[Change, ...], told: int, begun: int
) -> None:
    """A process that began after ``begun`` changes, beside a status that tells ``told`` of them."""
    known, since = changes[:told][-KEPT:], changes[min(told, begun) :][-KEPT:]
    assert joined(known, since) == changes[-KEPT:]
