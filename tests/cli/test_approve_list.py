"""`escadre approve list` leaves no approval out, and points at one whose end is near."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.cli.harness import NOW, Program
from tests.cli.world import approval, condition

from escadre.clients.kube import MODEL_APPROVALS

HOLDS = condition("Approved", "True", "Approved", "signed by bob, claire")
# The operator knows how many days before (chart value approvals.warnDays), and says so.
EXPIRES = condition("Expiring", "True", "Expiring", "ends in less than 30 days")
REVOKED = condition("Approved", "False", "Revoked", "bob revoked it")
DAY = 86400


def until(body: dict[str, Any], seconds: float) -> dict[str, Any]:
    end = datetime.fromtimestamp(NOW + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**body, "spec": {**body["spec"], "notAfter": end}}


def cluster() -> Program:
    program = Program()
    bodies = [
        approval("holds", conditions=[HOLDS], summary="2/2"),
        until(approval("soon", conditions=[HOLDS, EXPIRES], summary="2/2"), 20 * DAY),
        until(approval("later", conditions=[HOLDS], summary="2/2"), 3 * DAY),
        until(approval("past", conditions=[HOLDS], summary="2/2"), -DAY),
        approval("revoked", conditions=[REVOKED], summary="0/2"),
        approval("new"),
        {**approval("broken"), "spec": {"notAfter": "some day"}},
    ]
    for body in bodies:
        program.server.put(MODEL_APPROVALS, body)
    return program


def test_every_approval_is_listed_with_what_keeps_it_from_holding() -> None:
    ran = cluster().run("approve", "list")
    assert ran.code == 0, ran.err
    lines = {words[1]: words for line in ran.out.splitlines()[1:] if (words := line.split())}
    assert set(lines) == {"holds", "soon", "later", "past", "revoked", "new", "broken"}
    marks = {name: words[0] for name, words in lines.items()}
    assert {name for name, sign in marks.items() if sign == "✗"} == {
        "past",
        "revoked",
        "new",
        "broken",
    }
    assert (lines["revoked"][2], lines["past"][2]) == ("Revoked", "Expired")


def test_an_end_that_is_near_is_pointed_out() -> None:
    program = cluster()
    told = program.run("approve", "list").out
    (soon,) = [line for line in told.splitlines() if "expires in" in line]
    assert " soon " in soon
    assert "(expires in 20d" in soon
    items = json.loads(program.run("approve", "list", "-o", "json").out)["items"]
    assert [one["name"] for one in items if one["expiresSoon"]] == ["soon"]


def test_no_approval_at_all_is_said() -> None:
    assert "No ModelApproval" in Program().run("approve", "list").out
