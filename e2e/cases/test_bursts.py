"""A burst on the real path: up by several at once and back, and two that want the same GPUs."""

import json
from collections.abc import Callable, Iterator

import pytest

from e2e.cases.serving import Traffic, pods_of, ready_pods, serving
from e2e.cluster.wait import wait_for
from e2e.stage.ledger import Ledger, turns
from e2e.stage.stage import TEAM, Json, Stage

pytestmark = pytest.mark.cluster

Tell = Callable[[str, object], None]


def _scaled(stage: Stage, name: str) -> list[str]:
    chosen = f"involvedObject.name={name},reason=Scaled"
    found = stage.cluster.list("events", "-n", TEAM, "--field-selector", chosen)
    return [one["message"] for one in found]


def _ready(stage: Stage, name: str) -> int:
    return len(ready_pods(stage, name))


def _told(load: Traffic) -> Json:
    assert load.summary.lost_by_reason == {}, load.summary
    return load.summary.as_json()


def test_a_burst_takes_one_replica_to_six_and_back(stage: Stage, record_property: Tell) -> None:
    scaling = {"minReplicas": 1, "maxReplicas": 6, "targetQueueDepth": 8}
    with serving(stage, "burst", concurrency=8, scaling=scaling), Ledger(stage, "burst") as ledger:
        # Someone is there before, during and after it.
        with Traffic(stage, "burst", clients=2, keep_alive=True) as always:
            with (
                Traffic(stage, "burst", clients=28, max_tokens=150) as fresh,
                Traffic(stage, "burst", clients=28, max_tokens=150, keep_alive=True) as kept,
            ):
                wait_for(lambda: _ready(stage, "burst") == 6, 90, "six ready replicas")
                up = stage.mdep("burst")["status"]["lastScale"]
            wait_for(lambda: len(pods_of(stage, "burst")) == 1, 120, "one pod again")
        wait_for(lambda: ledger.numbers[-1:] == [1], 10, "the number to be told")
        status = stage.mdep("burst")["status"]
        down, scaling = status["lastScale"], status["scaling"]
        bill = ledger.bill()
    told = {"always": _told(always), "fresh": _told(fresh), "kept": _told(kept)}
    record_property("requests", json.dumps(told))
    record_property("bill", repr(bill))
    print({kind: (one["answered"], one["lost"]) for kind, one in told.items()}, bill)
    assert (max(ledger.numbers), turns(ledger.numbers)) == (6, 1), ledger.numbers
    assert len(ledger.lives) == 6, "no replica was made that was not needed, none twice"
    assert bill.in_vain == 0
    assert (up["to"], up["reason"]) == (6, "DemandUp")
    assert (down["to"], down["reason"]) == (1, "DemandDown")
    course = [(one["from"], one["to"]) for one in scaling["history"]]
    assert [to for _, to in course] == ledger.numbers[1:], course
    assert (scaling["capacity"], scaling["capacityFrom"]) == (8, "Fixed")
    for words in ("to 6 replicas: DemandUp", "to 1 replica: DemandDown"):
        assert any(words in one for one in _scaled(stage, "burst")), _scaled(stage, "burst")


@pytest.fixture
def eight_gpus(stage: Stage) -> Iterator[None]:
    """One node of eight GPUs is all that engines may go to."""
    stage.cluster.kubectl("cordon", "gpu-1")
    yield
    stage.cluster.kubectl("uncordon", "gpu-0", "gpu-1")


@pytest.mark.usefixtures("eight_gpus")
def test_two_bursts_share_the_last_eight_gpus_and_are_told_so(stage: Stage) -> None:
    one, other = {"minReplicas": 1, "maxReplicas": 8}, {"minReplicas": 2, "maxReplicas": 8}
    depth = {"targetQueueDepth": 4}
    with (
        serving(stage, "first", scaling=one | depth),
        serving(stage, "second", scaling=other | depth),
        Ledger(stage, "first") as first,
        Ledger(stage, "second") as second,
    ):
        # 26 ask for seven replicas each, and for no eighth where one is counted on two of them, for
        # they are not read at the same moment.
        # Nothing is given before both ask, or who is read first has all but one.
        stage.cluster.kubectl("cordon", "gpu-0")
        with Traffic(stage, "second", clients=26, max_tokens=150) as lasting:
            with Traffic(stage, "first", clients=26, max_tokens=150) as short:
                both = ("first", "second")
                wait_for(lambda: min(_asked(stage, one) for one in both) >= 7, 60, "both to ask")
                stage.cluster.kubectl("uncordon", "gpu-0")
                wait_for(
                    lambda: _ready(stage, "first") + _ready(stage, "second") == 8,
                    90,
                    "all eight GPUs to serve",
                )
                shares = _ready(stage, "first"), _ready(stage, "second")
                told = [_denied(stage, name) for name in ("first", "second")]
            # What one gives back the other has: it waited for it.
            wait_for(lambda: _ready(stage, "second") == 7, 90, "the rest for who still needs it")
            wait_for(lambda: _ready(stage, "first") == 1, 90, "minReplicas of who does not")
        bills = first.bill(), second.bill()
    print(shares, first.numbers, second.numbers, bills)
    assert min(shares) >= 3, "further replicas are given by turns"
    for scaling in told:
        assert scaling["desiredBeforeLimits"] > max(shares), scaling
        assert "gpus" in scaling["limits"], scaling
        words = scaling["denied"]["message"]
        assert all(f"{TEAM}/{name} (" in words for name in ("first", "second")), words
    assert (short.summary.lost_by_reason, lasting.summary.lost_by_reason) == ({}, {})
    assert (turns(first.numbers), turns(second.numbers)) == (1, 0), "nobody flaps"
    assert [bill.in_vain for bill in bills] == [0, 0]


def _asked(stage: Stage, name: str) -> int:
    """How many replicas the demand of a deployment asks for."""
    return int(stage.mdep(name)["status"]["scaling"]["desiredBeforeLimits"])


def _denied(stage: Stage, name: str) -> Json:
    """What a deployment says of its number while it has no GPUs for some replicas."""
    stage.wait_condition(name, "Planned", "InsufficientGPUs")

    def seen() -> Json | None:
        scaling: Json = stage.mdep(name)["status"]["scaling"]
        return scaling if "denied" in scaling else None

    scaling: Json = wait_for(seen, 40, "the status to tell what scarcity denies")
    return scaling
