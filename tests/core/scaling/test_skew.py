"""core/scaling/skew.py: one replica is full while another has next to nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.core.scaling.demand import UNKNOWN, Demand
from escadre.core.scaling.policy import Decision, Limits, Sample, Windows, decide, start
from escadre.core.scaling.skew import Skew, lasting, skew_of

FULL = Demand(8, 8, 0.0)


@pytest.mark.parametrize(
    ("readings", "skew"),
    [
        pytest.param([(0, FULL), (2, Demand(1, 0, 0.0))], Skew(0, 16, 2, 1), id="skewed"),
        pytest.param(
            [(0, Demand(0, 0, 0.0)), (1, Demand(4, 0, 0.0)), (2, FULL)],
            Skew(2, 16, 0, 0),
            id="of three",
        ),
        pytest.param([(0, FULL), (1, FULL)], None, id="all are full"),
        pytest.param([(0, FULL), (1, Demand(5, 0, 0.0))], None, id="the other has some"),
        pytest.param([(0, Demand(8, 7, 0.0)), (1, UNKNOWN)], None, id="not full enough"),
        pytest.param([(0, Demand(8, 0, 0.0)), (1, Demand(0, 0, 0.0))], None, id="nothing waits"),
        pytest.param([(0, FULL)], None, id="the only one"),
        pytest.param([(0, Demand(0, 0, 0.0))], None, id="nothing to do"),
        pytest.param([], None, id="nothing read"),
    ],
)
def test_who_is_full_while_who_is_idle(
    readings: list[tuple[int, Demand]], skew: Skew | None
) -> None:
    assert skew_of(readings) == skew
    assert skew_of(readings[::-1]) == skew


SKEW = Skew(0, 16, 2, 1)


@pytest.mark.parametrize(
    ("skew", "since", "told"),
    [
        pytest.param(SKEW, 70.0, SKEW, id="for half a minute"),
        pytest.param(SKEW, 71.0, None, id="for less"),
        pytest.param(SKEW, None, None, id="since now"),
        pytest.param(None, 0.0, None, id="no more"),
    ],
)
def test_what_lasts_is_told(skew: Skew | None, since: float | None, told: Skew | None) -> None:
    assert lasting(skew, since, 100.0) == told


WINDOWS, LIMITS = Windows(300.0, 15.0), Limits(1, 4, 8)
LOOKS = st.lists(st.tuples(st.booleans(), st.floats(0.5, 15.0)), max_size=40)


def decided(looks: list[tuple[bool, float]]) -> list[tuple[float, Decision]]:
    """Decisions at so many seconds after each other, over two replicas that are skewed or not."""
    state, now, found = start(2, 0.0), 1000.0, []
    for skewed, pause in looks:
        now += pause
        samples = [
            Sample(0, "ready", replace(FULL, at=now)),
            Sample(1, "ready", Demand(0 if skewed else 8, 0, now)),
        ]
        decision = decide(state, samples, LIMITS, WINDOWS, now)
        state = decision.state
        found.append((now, decision))
    return found


@given(LOOKS)
def test_it_is_told_from_half_a_minute_on_until_a_look_without_it(
    looks: list[tuple[bool, float]],
) -> None:
    found, since = decided(looks), None
    for (skewed, _), (now, decision) in zip(looks, found, strict=True):
        since = (since or now) if skewed else None
        lasts = since is not None and now - since >= 30
        assert (decision.skew == Skew(0, 16, 1, 0)) == lasts
        assert ("clients keep their connections" in str(decision.message)) == lasts


def test_who_is_the_emptiest_is_not_worth_a_write() -> None:
    """Of several with nothing it is another one with every reading."""
    (_, first), (_, later) = decided([(True, 1.0), (True, 31.0)])
    assert first.message.essence != later.message.essence, "that there is one is"
    state, now = later.state, 2000.0
    idle = [Sample(0, "ready", replace(FULL, at=now)), Sample(3, "ready", Demand(0, 0, now))]
    other = decide(state, idle, LIMITS, WINDOWS, now)
    assert other.skew == Skew(0, 16, 3, 0)
    assert other.message.essence == later.message.essence


def test_names_of_before_are_told_of_every_engine_once() -> None:
    names = (("vllm:b", "vllm:a"), (), ("vllm:a",))
    samples = [
        Sample(slot, "ready", Demand(1, 0, 0.0, old_names=old)) for slot, old in enumerate(names)
    ]
    assert decide(start(3, -900.0), samples, LIMITS, WINDOWS, 0.0).old_names == ("vllm:a", "vllm:b")
