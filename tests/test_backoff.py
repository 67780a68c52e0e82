"""Pauses between tries: doubled, bounded, and defined for any number of failures."""

import pytest
from tests.agent.pull.test_choose import A, failure

from escadre.agent.pull.choose import after_failure
from escadre.backoff import pause
from escadre.clients.sources.retry import RetryPolicy


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [
        pytest.param(1, 0.5, id="the first pause"),
        pytest.param(2, 1.0, id="doubled"),
        pytest.param(5, 8.0, id="doubled again and again"),
        pytest.param(8, 30.0, id="no longer than the longest"),
        pytest.param(5_000, 30.0, id="after an outage of days"),
        pytest.param(0, 0.5, id="none yet"),
    ],
)
def test_a_pause_doubles_up_to_the_longest(failures: int, seconds: float) -> None:
    assert pause(failures, first=0.5, longest=30.0) == seconds


def test_a_pull_that_failed_for_days_still_waits() -> None:
    last = None
    for _ in range(1_100):
        last = after_failure(failure(A), last, 0.0, None)
    assert last is not None
    assert 0 < last.not_before <= 600


def test_a_mirror_that_failed_for_days_is_still_waited_for() -> None:
    assert 0 < RetryPolicy().pause(1_100) <= RetryPolicy().ceiling
