"""core/status/mirror.py: what is said of a mirror, and what it means for those who wait for it."""

import pytest

from escadre import reasons
from escadre.core.status.mirror import PullFailure, mirror_leaves

DOWN = PullFailure("gpu-1", reasons.MIRROR_UNAVAILABLE, "connection refused")
WRONG = PullFailure("gpu-2", reasons.DIGEST_MISMATCH, "chunk 3 differs")


@pytest.mark.parametrize(
    ("invalid", "failed", "expected"),
    [
        pytest.param("", (), ["Ready=True MirrorAccepted"], id="can be used"),
        pytest.param(
            "spec.url: missing",
            (DOWN,),
            ["Ready=False MirrorInvalid", "Stalled=True MirrorInvalid"],
            id="cannot be read",
        ),
        pytest.param(
            "",
            (DOWN,),
            ["Ready=False MirrorUnavailable", "Stalled=True MirrorUnavailable"],
            id="a node fails",
        ),
        pytest.param(
            "",
            (DOWN, WRONG),
            ["Ready=False DigestMismatch", "Stalled=True DigestMismatch"],
            id="the worst is told",
        ),
    ],
)
def test_conditions(invalid: str, failed: tuple[PullFailure, ...], expected: list[str]) -> None:
    leaves = mirror_leaves(invalid, failed)
    assert [f"{one.type}={one.status} {one.reason}" for one in leaves] == expected


def test_who_fails_and_why_is_said() -> None:
    (ready, _) = mirror_leaves("", (DOWN,))
    assert str(ready.message) == "1 node fails to pull from it; node gpu-1: connection refused"
    (ready, _) = mirror_leaves("", (DOWN, WRONG))
    assert str(ready.message) == "2 nodes fail to pull from it; node gpu-2: chunk 3 differs"
