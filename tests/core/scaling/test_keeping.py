"""core/scaling/keeping.py: what is learned outlives whoever learned it, and no status does harm."""

from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.scaling.test_learning import PRIOR, SPEED, learned_from, poisson

from escadre.api.scalingstatus import LearnedSpeed
from escadre.core.scaling.keeping import Kept, begun, kept, telling
from escadre.core.scaling.learning import Factors, Learned, learn

NOW = 1000.0
KEY = "sha256:1 a layout and an image"
SLOW = Learned(KEY, told=Factors(1.3, 1.2, 1.0, 0.7), told_at=5.0)
FRESH = Learned(KEY)
TOLD = kept(SLOW, None)
OTHER = kept(replace(SLOW, key="another image"), None)

PERCENT = st.integers(50, 200)
FACTORS = st.builds(Factors, *[st.floats(0.5, 2.0)] * 4)
KEYS = st.text(max_size=9)


@pytest.mark.parametrize(
    ("learned", "before", "told"),
    [
        pytest.param(SLOW, None, TOLD, id="what was learned is told"),
        pytest.param(SLOW, OTHER, TOLD, id="of today's kind"),
        pytest.param(FRESH, None, None, id="nothing was learned yet"),
        pytest.param(FRESH, OTHER, OTHER, id="of another kind it stays until then"),
        pytest.param(FRESH, TOLD, None, id="who does not go by it does not tell it either"),
        pytest.param(None, TOLD, TOLD, id="what replicas do is not known now"),
        pytest.param(None, None, None, id="and never was"),
    ],
)
def test_what_is_told(learned: Learned | None, before: Kept | None, told: Kept | None) -> None:
    assert kept(learned, before) == told


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param((SLOW, FRESH), SLOW, id="what tells something counts"),
        pytest.param((FRESH, SLOW), SLOW, id="wherever it is from"),
        pytest.param((replace(FRESH, prompts=3.0), FRESH), replace(FRESH, prompts=3.0), id="first"),
        pytest.param((None, FRESH), FRESH, id="one alone"),
        pytest.param((None, None), None, id="none"),
    ],
)
def test_of_two_that_know_a_kind_the_one_that_tells_counts(
    known: tuple[Learned | None, ...], expected: Learned | None
) -> None:
    assert telling(*known) == expected


@given(KEYS, FACTORS)
def test_the_next_leader_begins_where_the_last_one_was_and_writes_nothing(
    key: str, factors: Factors
) -> None:
    told = kept(Learned(key, told=factors, told_at=1.0), None)
    assert told is not None
    assert Kept.of(told.told()) == told, "through a status that the schema takes"
    begins = begun(told, key, NOW)
    assert begins is not None
    assert astuple(begins.told) == pytest.approx(astuple(factors), abs=0.005)
    assert astuple(begins.factors) == pytest.approx(astuple(begins.told))
    for now in range(0, 3600, 300):  # an hour without a reading
        begins = learn(begins, (), (), PRIOR, NOW + now)
    assert kept(begins, told) == told


@given(st.builds(Kept, KEYS, *[st.integers()] * 4), KEYS)
def test_whatever_a_status_tells_no_factor_is_beyond_half_and_double(told: Kept, key: str) -> None:
    assert begun(told, key, NOW) is None, "it names no kind"
    named = kept(Learned(key, told_at=1.0), None)
    assert named is not None
    edited = begun(told._replace(key=named.key), key, NOW)
    assert edited is not None
    for factors in (edited.told, edited.factors):
        assert all(0.5 <= one <= 2.0 for one in astuple(factors))


@given(KEYS, KEYS)
def test_of_another_kind_nothing_is_taken_over(key: str, other: str) -> None:
    told = kept(Learned(key, told=Factors(2.0), told_at=1.0), None)
    assert (begun(told, other, NOW) is None) == (key != other)


@given(
    st.builds(
        LearnedSpeed,
        key=st.just("0" * 16),
        **dict.fromkeys(
            ("prompt_percent", "step_percent", "request_percent", "cached_token_percent"), PERCENT
        ),
    )
)
def test_a_status_is_read_as_it_was_told(told: LearnedSpeed) -> None:
    assert Kept.of(told).told() == told


def test_a_leader_that_took_over_goes_on_learning() -> None:
    """What its load shows is learned anew, what it does not show stays as it was told."""
    truth = Factors(1.0, 1.4, 1.4, 1.4)
    told = kept(Learned("k", told=Factors(1.8, 0.7, 0.7, 1.4), told_at=1.0), None)
    start = begun(told, "k", 0.0)
    assert start is not None
    load = list(poisson(2.0, 1200, 500, 200))
    found = learned_from(truth, load, start=start)
    step = found.told.of(SPEED).decode.seconds(12, 7000)
    assert step == pytest.approx(truth.of(SPEED).decode.seconds(12, 7000), rel=0.1)
    assert found.told_at is not None
    assert found.told_at >= 600, "not by its first readings"
    short = learned_from(truth, load, seconds=500, start=start)
    assert short.told == start.told
