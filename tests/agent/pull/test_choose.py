"""What to pull next."""

import pytest

from escadre.agent.pull.choose import Decision, Failure, after_failure, choose
from escadre.api.gpunode import MirrorSource, WantedWeights


def want(name: str, url: str = "http://m/x") -> WantedWeights:
    return WantedWeights(
        manifest_digest="sha256:" + name * 64,
        approval="a",
        repository="org/model",
        revision="0" * 40,
        bytes=1,
        source=MirrorSource(name="m", type="http", url=url),
    )


A, B = want("a"), want("b")
FAILED = Failure(A, 1, not_before=20.0)


@pytest.mark.parametrize(
    ("wants", "verified", "running", "failures", "decision"),
    [
        pytest.param((), [], None, [], Decision(), id="nothing wanted"),
        pytest.param((A, B), [], None, [], Decision(start=A), id="the first first"),
        pytest.param((A, B), [A], None, [], Decision(start=B), id="what is verified is skipped"),
        pytest.param((A, B), [A, B], None, [], Decision(), id="all verified"),
        pytest.param((A, B), [], A, [], Decision(), id="one at a time"),
        pytest.param((B,), [], A, [], Decision(cancel=True), id="no longer wanted"),
        pytest.param(
            (want("a", "http://n/x"),), [], A, [], Decision(cancel=True), id="another mirror"
        ),
        pytest.param((A, B), [], None, [FAILED], Decision(start=B), id="a failure waits"),
        pytest.param((A,), [], None, [FAILED], Decision(wake_at=20.0), id="alone it is awaited"),
        pytest.param(
            (A,), [], None, [Failure(A, 1, 9.0)], Decision(start=A), id="its pause is over"
        ),
        pytest.param(
            (A,),
            [],
            None,
            [Failure(want("a", "http://n/x"), 1, 20.0)],
            Decision(start=A),
            id="a failure of another mirror does not count",
        ),
    ],
)
def test_decision(
    wants: tuple[WantedWeights, ...],
    verified: list[WantedWeights],
    running: WantedWeights | None,
    failures: list[Failure],
    decision: Decision,
) -> None:
    digests = frozenset(each.manifest_digest for each in wants if each in verified)
    by_digest = {failure.want.manifest_digest: failure for failure in failures}
    assert choose(wants, digests, running, by_digest, 10.0) == decision


def test_pauses_grow_to_a_limit_and_honour_the_mirror() -> None:
    failure = None
    pauses = []
    for _ in range(9):
        failure = after_failure(A, failure, 0.0, None)
        pauses.append(failure.not_before)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert after_failure(A, None, 0.0, 500.0).not_before == 500.0
    assert after_failure(want("a", "http://n/x"), failure, 0.0, None).count == 1
