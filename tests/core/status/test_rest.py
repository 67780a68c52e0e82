"""At rest scaling says the same for ever, also after a restart: nothing is written then."""

from tests.core.scaling.test_invariants import SERVICE
from tests.core.statuses import Json, built, facts, line

from escadre.core.scaling.decision import Decision, Limits, Sample, ScaleState, Windows
from escadre.core.scaling.demand import Demand, Work
from escadre.core.scaling.policy import decide, start
from escadre.core.scaling.step import Bounds

WINDOWS = Windows(300.0, 15.0)
LIMITS = Limits(1, 4, 24, service=SERVICE)
BUSY, ROUND = 600.0, 3.0


def played(state: ScaleState, begin: float, end: float) -> list[tuple[float, Decision]]:
    """Decisions of so many seconds; an engine answers a request a second for the first 600."""
    decisions = []
    now = begin
    while now < end:
        now += ROUND
        answered, busy = int(min(now, BUSY)), now < BUSY
        work = Work(answered * 1000, answered * 200, answered, 0)
        demand = Demand(2 if busy else 0, 0, now, work=work)
        decision = decide(state, [Sample(0, "ready", demand)], LIMITS, WINDOWS, now)
        state = decision.state
        decisions.append((now, decision))
    return decisions


def told(decision: Decision) -> tuple[str, Json]:
    status = built(facts(line(), decision=decision, bounds=Bounds(1, 4)))
    return str(decision.message), status["scaling"]


def test_an_hour_after_the_last_request_the_words_and_numbers_stay() -> None:
    decisions = played(start(1, 0.0), 0.0, BUSY + 3 * 3600)
    fading = {str(told(one)) for now, one in decisions if BUSY + 400 < now < BUSY + 3600}
    assert len(fading) <= 3, "and until then few are other ones"
    at_rest = [told(one) for now, one in decisions if now > BUSY + 3600]
    assert all(one == at_rest[0] for one in at_rest)
    message, scaling = at_rest[0]
    assert message == "1 replica: no requests arrive, bounds 1 to 4"
    assert (scaling["signal"], scaling["requestsPerMinute"]) == ("Rate", 0)
    assert (scaling["desiredBeforeLimits"], scaling["limits"]) == (0, ["minReplicas"])


def test_a_restart_at_rest_changes_no_word_and_no_number() -> None:
    before = told(played(start(1, 0.0), 0.0, BUSY + 3600)[-1][1])
    after = [told(one) for _, one in played(start(1, BUSY + 3600), BUSY + 3600, BUSY + 7200)]
    assert all(one == before for one in after)


def test_small_rates_are_told_in_hundredths() -> None:
    fading = [str(one.message) for now, one in played(start(1, 0.0), 0.0, BUSY + 600)]
    assert not any("e-" in words for words in fading)
