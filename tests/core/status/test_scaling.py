"""core/status/scaling.py: what is told of the number of replicas, and when it is worth a write."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.statuses import Json, built, facts, line, planned, told_before

from escadre import reasons
from escadre.core.fleet.plan import SlotPlan
from escadre.core.scaling.demand import Demand
from escadre.core.scaling.history import KEPT, Change, joined
from escadre.core.scaling.policy import Limits, Sample, ScaleState, Windows, decide
from escadre.core.scaling.step import Bounds
from escadre.core.status.build import answer
from escadre.reasons.said import NOTHING, plain

WINDOWS = Windows(300.0, 15.0)


def scaling(desired: int, demand: int | None, bounds: Bounds, **more: object) -> Json:
    """What is told after a decision at second 1000 with one ready replica."""
    read = None if demand is None else Demand(demand, 0, 1000.0)
    limits = Limits(bounds.minimum, bounds.maximum, 24, window=bounds.window)
    decision = decide(
        ScaleState(desired, 900.0), [Sample(0, "ready", read)], limits, WINDOWS, 1000.0
    )
    told: Json = built(facts(line(), decision=decision, bounds=bounds, **more))["scaling"]
    return told


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            scaling(2, 40, Bounds(1, 4)),
            {
                "signal": "Requests",
                "demand": 40,
                "capacity": 24,
                "capacityFrom": "Fixed",
                "desiredBeforeLimits": 2,
                "minReplicas": 1,
            },
            id="the number fits",
        ),
        pytest.param(scaling(4, 400, Bounds(1, 4)), {"limits": ["maxReplicas"]}, id="at most"),
        pytest.param(scaling(1, 0, Bounds(1, 4)), {"limits": ["minReplicas"]}, id="at least"),
        pytest.param(scaling(3, 30, Bounds(1, 4)), {"limits": ["stabilisation"]}, id="not yet"),
        pytest.param(
            scaling(4, 0, Bounds(4, 6, window=1, changes_at=4000.5)),
            {
                "limits": ["schedule"],
                "minReplicas": 4,
                "schedule": 1,
                "nextChangeAt": "1970-01-01T01:06:40Z",
            },
            id="a window is open",
        ),
        pytest.param(
            scaling(2, None, Bounds(1, 4)),
            {"signal": "Partial", "limits": ["minReplicas", "unknown"]},
            id="metrics are missing",
        ),
    ],
)
def test_what_the_number_rests_on(told: Json, expected: Json) -> None:
    assert {key: told.get(key) for key in expected} == expected


def test_before_anything_serves_no_demand_is_told() -> None:
    decision = decide(ScaleState(1, 900.0), [], Limits(1, 4, 24), WINDOWS, 1000.0)
    told = built(facts(decision=decision))["scaling"]
    assert told["signal"] == "Unknown"
    assert not {"demand", "desiredBeforeLimits"} & set(told)


def test_what_scarcity_denies_is_told_with_who_holds_the_gpus() -> None:
    held = "1 of 2 replicas have no node: needs 2 free GPUs; gpu-0: 8 held by team/other (8)"
    slots = (
        SlotPlan(0, "gpu-0", None, "", reasons.PLANNED, NOTHING),
        SlotPlan(1, None, None, "", reasons.INSUFFICIENT_GPUS, plain(held)),
    )
    plan = planned(reason=reasons.INSUFFICIENT_GPUS, message=plain(held), slots=slots)
    told = scaling(2, 40, Bounds(1, 4), plan=plan)
    assert told["denied"] == {"replicas": 1, "message": held}
    assert told["limits"] == ["gpus"]


def test_numbers_may_wait_and_a_change_of_the_number_may_not() -> None:
    def essence(demand: int, *changes: Change) -> bytes:
        bounds, limits = Bounds(1, 4), Limits(1, 4, 24)
        decision = decide(
            ScaleState(1, 0.0),
            [Sample(0, "ready", Demand(demand, 0, 999.0))],
            limits,
            WINDOWS,
            1000.0,
        )
        return answer(facts(line(), decision=decision, bounds=bounds, changes=changes)).essence()

    assert essence(5) == essence(9)
    assert essence(5) != essence(5, Change(1, 2, 40, 24, reasons.DEMAND_UP, 60))


def test_without_a_decision_what_was_told_is_said_again() -> None:
    first = answer(facts(line())).status
    again = facts(
        line(), decision=None, scaling=first.scaling, previous=told_before(built(facts(line())))
    )
    assert answer(again).status.scaling == first.scaling
    assert answer(replace(again, scaling=None)).status.scaling is None


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
