"""What to pull next."""

from dataclasses import replace

import pytest

from escadre import reasons
from escadre.agent.pull.choose import Decision, FailedPull, after_failure, choose
from escadre.agent.wish import Wish
from escadre.api.gpunode import MirrorReference, MirrorSource, WantedWeights


def wish(name: str, url: str = "http://m/x", generation: int = 1, pulls: int = 4) -> Wish:
    mirror = MirrorSource(
        name="m", type="http", url=url, generation=generation, max_concurrent_pulls=pulls
    )
    want = WantedWeights(
        manifest_digest="sha256:" + name * 64,
        approval="a",
        repository="org/model",
        revision="0" * 40,
        bytes=1,
        mirror=MirrorReference(name="m", generation=generation),
    )
    return Wish(want, mirror)


def failure(of: Wish, not_before: float = 0.0) -> FailedPull:
    return FailedPull(of, reasons.MIRROR_UNAVAILABLE, "down", "t", 1, not_before)


A, B = wish("a"), wish("b")
NOWHERE = Wish(A.want, None, "waits")
FAILED = failure(A, not_before=20.0)


@pytest.mark.parametrize(
    ("wishes", "verified", "running", "failures", "decision"),
    [
        pytest.param((), [], None, [], Decision(), id="nothing wanted"),
        pytest.param((A, B), [], None, [], Decision(start=A), id="the first first"),
        pytest.param((A, B), [A], None, [], Decision(start=B), id="what is verified is skipped"),
        pytest.param((A, B), [A, B], None, [], Decision(), id="all verified"),
        pytest.param((A, B), [], A, [], Decision(), id="one at a time"),
        pytest.param((B,), [], A, [], Decision(cancel=True), id="no longer wanted"),
        pytest.param(
            (wish("a", "http://n/x"),), [], A, [], Decision(cancel=True), id="another mirror"
        ),
        pytest.param(
            (wish("a", "http://m/y", 2),), [], A, [], Decision(cancel=True), id="it moved"
        ),
        pytest.param(
            (wish("a", generation=2, pulls=9),), [], A, [], Decision(), id="only its counters moved"
        ),
        pytest.param((NOWHERE,), [], A, [], Decision(cancel=True), id="its mirror is gone"),
        pytest.param((NOWHERE, B), [], None, [], Decision(start=B), id="without a mirror it waits"),
        pytest.param((NOWHERE,), [], None, [], Decision(), id="and nothing wakes it but news"),
        pytest.param((A, B), [], None, [FAILED], Decision(start=B), id="a failure waits"),
        pytest.param((A,), [], None, [FAILED], Decision(wake_at=20.0), id="alone it is awaited"),
        pytest.param((A,), [], None, [failure(A, 9.0)], Decision(start=A), id="its pause is over"),
        pytest.param(
            (A,),
            [],
            None,
            [failure(wish("a", "http://n/x"), 20.0)],
            Decision(start=A),
            id="a failure of another mirror does not count",
        ),
    ],
)
def test_decision(
    wishes: tuple[Wish, ...],
    verified: list[Wish],
    running: Wish | None,
    failures: list[FailedPull],
    decision: Decision,
) -> None:
    digests = frozenset(each.digest for each in wishes if each in verified)
    by_digest = {one.wish.digest: one for one in failures}
    assert choose(wishes, digests, running, by_digest, 10.0) == decision


def test_pauses_grow_to_a_limit_and_honour_the_mirror() -> None:
    last = None
    pauses = []
    for _ in range(9):
        last = after_failure(failure(A), last, 0.0, None)
        pauses.append(last.not_before)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert after_failure(failure(A), None, 0.0, 500.0).not_before == 500.0
    assert after_failure(failure(wish("a", "http://n/x")), last, 0.0, None).count == 1


def test_a_failure_is_told_since_it_first_ended_so() -> None:
    first = FailedPull(A, reasons.MIRROR_UNAVAILABLE, "down", "10:00")
    again = after_failure(replace(first, since="10:05"), first, 0.0, None)
    assert (again.since, again.count) == ("10:00", 2)
    other = FailedPull(A, reasons.MIRROR_SLOW, "slow", "10:10")
    assert after_failure(other, again, 0.0, None).since == "10:10"
