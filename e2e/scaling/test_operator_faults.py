"""A burst while the operator dies, changes, or is refused by the API server."""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest

from e2e.cases.faulting import kill_main_process, leader, scale_operators
from e2e.cluster.audit import OPERATOR
from e2e.cluster.wait import wait_for
from e2e.scaling.bursting import MOST, WINDOW_SECONDS, Burst, bursting
from e2e.stage.ledger import turns
from e2e.stage.stage import NAMESPACE, TEAM, Json, Stage

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def _lease(stage: Stage) -> Json:
    spec: Json = stage.cluster.get("lease", "escadre-operator", NAMESPACE)["spec"]
    return spec


def _acquired(stage: Stage, before: Json) -> float:
    """Waits for another leader; when it began, on the clock of ``time.monotonic``."""

    def other() -> Json | None:
        now = _lease(stage)
        return (
            now if now.get("holderIdentity") not in {"", None, before["holderIdentity"]} else None
        )

    spec = wait_for(other, 30, f"another leader than {before['holderIdentity']}")
    ago = time.time() - datetime.fromisoformat(spec["acquireTime"]).timestamp()
    return time.monotonic() - ago


def _kill(stage: Stage) -> float:
    before = _lease(stage)
    kill_main_process({"metadata": {"name": leader(stage)}})
    return _acquired(stage, before)


def _never_down(burst: Burst) -> None:
    """The number only rose, and nothing that ran was taken away."""
    assert burst.ledger.numbers == sorted(burst.ledger.numbers)
    assert [one for one in burst.ledger.lives.values() if one.leaving is not None] == []


def _ended_well(burst: Burst) -> None:
    """Up and down once, with four replicas in all, and every request answered."""
    assert burst.why_lost() == {}
    assert turns(burst.ledger.numbers) == 1, burst.ledger.numbers
    assert len(burst.ledger.lives) == MOST, "none was made twice"


def test_leaders_killed_while_replicas_load_and_at_the_end_of_the_burst(stage: Stage) -> None:
    scale_operators(stage, 2)
    with bursting(stage, "orphan") as burst:
        burst.under_way()
        _kill(stage)
        burst.at_peak()
        _never_down(burst)
        scale_operators(stage, 2)
        burst.end()
        acquired = _kill(stage)
        _never_down(burst)
        burst.until_back()
        lower = next(at for at, number in burst.ledger.wishes if at > acquired and number < MOST)
        print(f"the new leader held the number for {lower - acquired:.1f} s")
        assert lower - acquired >= WINDOW_SECONDS, "a whole window is seen before anything goes"
    _ended_well(burst)


def test_a_leader_that_leaves_at_the_peak(stage: Stage) -> None:
    scale_operators(stage, 2)
    with bursting(stage, "handed") as burst:
        burst.at_peak()
        before = _lease(stage)
        stage.cluster.kubectl("delete", "pod", leader(stage), "-n", NAMESPACE, "--wait=false")
        acquired = _acquired(stage, before)
        wait_for(lambda: time.monotonic() > acquired + WINDOW_SECONDS + 4, 60, "a window to pass")
        _never_down(burst)
        burst.end()
        burst.until_back()
    _ended_well(burst)


def _one_seat() -> tuple[Json, Json]:
    """A priority level for all that the operator writes for the team, with no queue.

    With no seat at all the server still serves one at a time.
    """
    kind = "flowcontrol.apiserver.k8s.io/v1"
    limited = {
        "nominalConcurrencyShares": 0,
        "lendablePercent": 0,
        "borrowingLimitPercent": 0,
        "limitResponse": {"type": "Reject"},
    }
    level: Json = {
        "apiVersion": kind,
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "one-seat"},
        "spec": {"type": "Limited", "limited": limited},
    }
    operator = {"name": "escadre-operator", "namespace": NAMESPACE}
    writes = {
        "verbs": ["create", "update", "patch", "delete"],
        "apiGroups": ["*"],
        "resources": ["*"],
        "namespaces": [TEAM],
    }
    rule = {
        "subjects": [{"kind": "ServiceAccount", "serviceAccount": operator}],
        "resourceRules": [writes],
    }
    schema: Json = {
        "apiVersion": kind,
        "kind": "FlowSchema",
        "metadata": {"name": "one-seat"},
        "spec": {
            "priorityLevelConfiguration": {"name": "one-seat"},
            "matchingPrecedence": 2,  # 1 is that of the exempt
            "rules": [rule],
        },
    }
    return level, schema


@contextmanager
def _refused(stage: Stage) -> Iterator[None]:
    """The API server answers what the operator writes for the team with 429: the seat is taken."""
    stage.cluster.apply(*_one_seat())
    wait_for(lambda: _stands(stage), 30, "the server to take up the priority level")
    sitting = _sit(stage)
    try:
        yield
    finally:
        sitting.close()
        for name in ("flowschema/one-seat", "prioritylevelconfiguration/one-seat"):
            stage.cluster.kubectl("delete", name)


def _stands(stage: Stage) -> bool:
    status: Json = stage.cluster.get("flowschema", "one-seat").get("status", {})
    return any(
        (one["type"], one["status"]) == ("Dangling", "False") for one in status["conditions"]
    )


def _sit(stage: Stage) -> HTTPSConnection:
    """A request as the operator whose body does not come; the server waits a minute for it."""
    pki = stage.cluster.state.certificates
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    connection = HTTPSConnection(urlsplit(stage.cluster.server).netloc, context=context)
    connection.putrequest("POST", f"/apis/apps/v1/namespaces/{TEAM}/deployments")
    connection.putheader("Impersonate-User", OPERATOR)
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "2")
    connection.endheaders()
    return connection


def test_writes_that_are_refused_with_429_wait_and_are_done(stage: Stage) -> None:
    audit = stage.cluster.audit
    with bursting(stage, "crowded") as burst:
        burst.under_way()
        burst.at_peak()
        mark = audit.mark()
        with _refused(stage):
            burst.end()

            def refused() -> int:
                return sum(one.code == 429 for one in audit.writes(mark, user=OPERATOR))

            wait_for(lambda: refused() >= 3, 90, "the operator to be refused")
            print(f"refused with 429: {refused()}")
            _never_down(burst)
        burst.until_back()
    _ended_well(burst)
