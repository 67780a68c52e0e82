"""What the ledger of a case makes of the states that a watch tells."""

import pytest
from e2e.stage.ledger import Account, Bill, Life, turns
from e2e.stage.stage import Json

SERVING = {"escadre.dev/serving": "true"}


def pod(*, ready: bool = False, labels: Json | None = None, deleted: bool = False) -> Json:
    meta: Json = {"name": "a-0", "labels": SERVING if labels is None else labels}
    if deleted:
        meta["deletionTimestamp"] = "2026-11-28T12:00:00Z"
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    return {"metadata": meta, "status": {"conditions": [condition]}}


@pytest.mark.parametrize(
    ("numbers", "count"),
    [
        ([], 0),
        ([1], 0),
        ([1, 6], 0),
        ([1, 4, 6, 3, 1], 1),
        ([1, 6, 6, 1], 1),
        ([1, 6, 5, 6, 1], 3),
    ],
)
def test_turns_are_changes_of_direction(numbers: list[int], count: int) -> None:
    assert turns(numbers) == count


def test_a_life_is_told_by_the_first_state_of_each_kind() -> None:
    life = Life("a-0", 10.0)
    for at, state in (
        (11.0, pod(labels={})),  # not in the Service yet: it does not leave
        (20.0, pod(ready=True)),
        (21.0, pod(ready=True)),
        (30.0, pod(ready=True, labels={})),
        (31.0, pod(labels={}, deleted=True)),
    ):
        life.see(state, at)
    assert (life.ready, life.leaving) == (20.0, 30.0)


def test_a_bill_adds_up_what_each_replica_took_between_two_times() -> None:
    account = Account()
    account.lives = {
        "whole": Life("a-0", 0.0, ready=10.0, leaving=50.0, gone=55.0),
        "stays": Life("a-1", 5.0, ready=20.0),
        "in vain": Life("a-2", 30.0, gone=33.0, leaving=32.0),
    }
    assert account.bill(until=60.0) == Bill(55 + 55 + 3, 10 + 15 + 2, 40 + 40, 5 + 1, in_vain=1)
    part = account.bill(since=15.0, until=52.0)
    assert part == Bill(37 + 37 + 3, 5 + 2, 35 + 32, 2 + 1, in_vain=1)
    assert part.wasted == 10
