"""core/replicas/leaving.py: a pod that leaves while its engine loads ends soon."""

import pytest

from escadre.core.replicas.leaving import LOADING_GRACE_SECONDS, Leaving, hurried


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        pytest.param(Leaving(terminating=True, loading=True, grace=335), True, id="loads"),
        pytest.param(
            Leaving(terminating=True, loading=True, grace=LOADING_GRACE_SECONDS),
            False,
            id="hurried-already",
        ),
        pytest.param(Leaving(terminating=True, loading=True, grace=0), False, id="killed-at-once"),
        pytest.param(
            Leaving(terminating=True, loading=False, grace=335), False, id="served-so-it-drains"
        ),
        pytest.param(
            Leaving(terminating=True, loading=False, grace=335, hung=True), True, id="hangs"
        ),
        pytest.param(Leaving(terminating=False, loading=True, grace=0), False, id="stays"),
    ],
)
def test_who_ends_sooner(pod: Leaving, *, expected: bool) -> None:
    assert hurried(pod) is expected
