"""core/status/mirror.py: what is said of a mirror, and what it means for those who wait for it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from escadre import reasons
from escadre.api.probe import MirrorFacts
from escadre.core.status.mirror import Found, PullFailure, Unasked, mirror_leaves

DOWN = PullFailure("gpu-1", reasons.MIRROR_UNAVAILABLE, "connection refused")
WRONG = PullFailure("gpu-2", reasons.DIGEST_MISMATCH, "chunk 3 differs")
SINCE = datetime(2026, 9, 21, 14, 10, tzinfo=UTC)
FACTS = MirrorFacts(
    ranges=True, first_byte_milliseconds=120, bytes_per_second=310_000_000, since=SINCE
)
GOOD = Found("gpu-0", "small", FACTS)


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
    leaves = mirror_leaves(invalid, failed, Unasked("nobody asked"))
    assert [f"{one.type}={one.status} {one.reason}" for one in leaves] == expected


def test_who_fails_and_why_is_said() -> None:
    (ready, _) = mirror_leaves("", (DOWN,), GOOD)
    assert str(ready.message) == "1 node fails to pull from it; node gpu-1: connection refused"
    (ready, _) = mirror_leaves("", (DOWN, WRONG), GOOD)
    assert str(ready.message) == "2 nodes fail to pull from it; node gpu-2: chunk 3 differs"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        pytest.param(
            {},
            "MirrorAnswers: node gpu-0 got what it asked for of ModelApproval small, in byte "
            "ranges; first byte after 0.12 s; 310.0 MB/s over one connection",
            id="all is well",
        ),
        pytest.param(
            {"ranges": False, "first_byte_milliseconds": None, "bytes_per_second": None},
            "MirrorAnswers: node gpu-0 got what it asked for of ModelApproval small, without byte "
            "ranges: a file is one stream",
            id="no ranges",
        ),
        pytest.param(
            {"reason": reasons.UNAUTHORIZED, "message": "getting https://m.example/x: HTTP 401"},
            "Unauthorized: node gpu-0 asked it for files of ModelApproval small: getting "
            "https://m.example/x: HTTP 401",
            id="refused",
        ),
    ],
)
def test_what_one_node_found_is_said(found: dict[str, Any], says: str) -> None:
    (ready, *_) = mirror_leaves("", (), Found("gpu-0", "small", FACTS.model_copy(update=found)))
    assert f"{ready.reason}: {ready.message}" == says


def test_what_nobody_asked_is_said() -> None:
    (ready, *_) = mirror_leaves("", (), Unasked("nothing was asked of it"))
    assert str(ready.message) == "its spec can be used; nothing was asked of it"


def test_a_doubt_is_no_state_but_under_way() -> None:
    (ready, goes_on) = mirror_leaves("", (), Unasked("node gpu-0 is to ask it", doubted=True))
    assert (ready.status, ready.reason, goes_on.type) == (
        "False",
        reasons.MIRROR_DOUBTED,
        "Reconciling",
    )
    assert str(ready.message) == "a pull from it failed a moment ago; node gpu-0 is to ask it"
