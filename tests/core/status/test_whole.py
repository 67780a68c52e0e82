"""core/status/build.py: replicas, plan and essence of a whole status, and what it says answers."""

from dataclasses import replace

import pytest
from tests.core.layout import LAYOUT
from tests.core.statuses import (
    REVOKED,
    SCHEMA,
    TAKEN,
    VERIFIED,
    built,
    conditions,
    facts,
    line,
    planned,
    told,
    told_before,
    weights,
)

from escadre import reasons
from escadre.api.deployment import RejectedLayout
from escadre.core.replicas.drain import Drain
from escadre.core.scaling.history import Change, joined
from escadre.core.status.build import answer
from escadre.core.status.facts import MadeOf, StatusFacts


def test_replicas() -> None:
    found = built(
        facts(
            line(0),
            line(1, current=False),
            line(2, state="Failing", message="exited with 1"),
            line(3, drain=Drain("ScaleDown", 0.0)),
            desired=3,
        )
    )["replicas"]
    assert (found["desired"], found["summary"]) == (3, "2/3")
    # One that drains does not answer the Service any more.
    assert (found["ready"], found["current"]) == (2, 1)
    assert [one["state"] for one in found["items"]] == ["Ready", "Ready", "Failing", "Draining"]
    assert found["items"][2]["message"] == "exited with 1"


def test_a_drained_replica_is_not_one_of_those_that_serve() -> None:
    assert told(facts(line(drain=Drain("ScaleDown", 0.0))))[0] == "False"


def test_a_leader_that_just_began_does_not_know_less_of_scaling() -> None:
    first = built(facts(line()))
    assert told(facts(line(), previous=told_before(first), decision=None), "Scaling") == (
        "True",
        "AtTarget",
    )
    unseen = {"conditions": SCHEMA["default"]["conditions"]}
    found = conditions(built(facts(previous=told_before(unseen), decision=None)))["Scaling"]
    assert (found["reason"], found["message"]) == ("NotScaling", "no demand was read yet")


def test_the_changes_of_the_number_stay_over_a_restart() -> None:
    changes = (
        Change(1, 2, 40, 24, reasons.DEMAND_UP, 60),
        Change(2, 1, 0, 24, reasons.DEMAND_DOWN, 90),
    )
    first = built(facts(line(), changes=changes))
    assert [one["to"] for one in first["scaling"]["history"]] == [2, 1]
    assert first["lastScale"] == first["scaling"]["history"][-1]
    before = told_before(first)
    assert before.changes == changes
    again = built(facts(line(), previous=before, changes=joined(before.changes, ())))
    assert (again["lastScale"], again["scaling"]) == (first["lastScale"], first["scaling"])


def test_what_is_unknown_is_left_out() -> None:
    found = built(facts(model=None, plan=None))
    assert not {"plan", "approval", "weights", "lastScale"} & set(found)


def test_the_layout_is_told_with_the_target_of_scaling_and_what_was_not_taken() -> None:
    smaller = RejectedLayout(
        product="H100", tensor_parallel_size=1, reason="CacheTooSmall", message="2 < 3"
    )
    plan = planned(rejected=(smaller,))
    found = built(facts(line(), plan=plan, target=5))["plan"]
    assert found == {
        **LAYOUT.model_dump(mode="json", by_alias=True, exclude_none=True),
        "targetQueueDepth": 5,
        "rejected": [smaller.model_dump(mode="json", by_alias=True, exclude_unset=True)],
    }


def test_a_change_of_mere_numbers_is_no_change_of_essence() -> None:
    slow = facts(plan=planned(weights=(weights(bytes_done=5, bytes_total=10, eta_seconds=9),)))
    fast = facts(plan=planned(weights=(weights(bytes_done=6, bytes_total=10, eta_seconds=3),)))
    one, other = answer(slow), answer(fast)
    assert one.status != other.status
    assert one.essence() == other.essence()


@pytest.mark.parametrize(
    "other",
    [
        facts(line(state="Loading")),
        facts(line(), line(1)),
        facts(line(), desired=2),
        facts(line(), generation=2),
        facts(line(), plan=planned(layout=LAYOUT.model_copy(update={"max_num_seqs": 64}))),
        facts(line(), plan=planned(weights=(weights("Failed", reason=reasons.STORE_FULL),))),
        facts(line(), **REVOKED),
        facts(line(message="drained")),
        facts(line(), plan=planned(weights=(VERIFIED.model_copy(update={"node": "gpu-1"}),))),
    ],
)
def test_anything_else_is(other: StatusFacts) -> None:
    assert answer(facts(line())).essence() != answer(other).essence()


@pytest.mark.parametrize(
    ("given_facts", "answer_", "words"),
    [
        pytest.param(facts(line()), ("True", "Available"), "1 of 1 replicas", id="all"),
        pytest.param(
            facts(line(), min_replicas=6), ("True", "Degraded"), "1 of 6 replicas", id="some"
        ),
        pytest.param(facts(), ("False", "Unavailable"), "0 of 1 replicas", id="none"),
        pytest.param(
            facts(line(), **REVOKED), ("True", "Available"), "1 of 1 replicas", id="revoked-serves"
        ),
        pytest.param(
            facts(line(), problem=TAKEN, unreachable=True),
            ("False", "Unavailable"),
            "no Service leads there",
            id="nobody-reaches-them",
        ),
    ],
)
def test_available_says_what_answers_whatever_is_wished(
    given_facts: StatusFacts, answer_: tuple[str, str], words: str
) -> None:
    assert told(given_facts, "Available") == answer_
    assert words in conditions(built(given_facts))["Available"]["message"]


def test_what_serves_is_told_from_the_replicas_and_not_from_the_wish() -> None:
    old = MadeOf("mistralai/old", "sha256:" + "0" * 64, "old-1", "a" * 40, 32768, "1×H100 tp1")
    serving = replace(line(current=False), made_of=old)
    status = built(facts(serving, **REVOKED))
    assert status["serving"]["summary"] == "mistralai/old"
    assert status["serving"]["models"][0]["approval"] == "old-1"
    assert status["replicas"]["current"] == 0
    assert conditions(status)["Available"]["message"] == (
        "1 of 1 replicas answer: mistralai/old (ModelApproval old-1), up to 32,768 tokens"
    )


def test_weights_ready_is_not_said_of_bytes_that_only_the_old_model_has() -> None:
    other = weights("Verified", manifest_digest="sha256:" + "0" * 64)
    status = built(facts(line(current=False), plan=planned(weights=(other,)), **REVOKED))
    assert conditions(status)["WeightsReady"]["status"] == "Unknown"
