"""core/replicas/silence.py: an engine that hangs, and when its node starts it again."""

from datetime import UTC, datetime

from escadre.core.replicas.silence import Probe, silence, words

NOON = datetime(2026, 11, 27, 12, 0, 5, tzinfo=UTC).timestamp()
READINESS, LIVENESS = Probe(5, 3, 5), Probe(10, 6, 5)


def test_when_it_is_started_again_follows_from_the_probes() -> None:
    one = silence(NOON, READINESS, LIVENESS, 30)
    # The check failed 15 s before the pod turned unready; the liveness probe allows it 60 s and
    # its last try 5 s.
    assert (one.restart_at - NOON, one.failures) == (50.0, 6)
    assert one.overdue_at - one.restart_at == 90.0


def test_it_says_since_when_and_when_it_ends() -> None:
    assert words(silence(NOON, READINESS, LIVENESS, 30), NOON + 20) == (
        "was ready until 12:00:05 UTC, its health check fails since then; its node starts it again "
        "at failure 6 of 6, about 12:00:55 UTC"
    )


def test_what_was_not_started_again_in_time_is_said_to_be_so() -> None:
    one = silence(NOON, READINESS, LIVENESS, 30)
    assert words(one, one.overdue_at) == (
        "was ready until 12:00:05 UTC, its health check fails since then, and its node should have "
        "started it again at 12:00:55 UTC and did not"
    )
