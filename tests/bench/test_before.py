"""The pure parts of `make bench-before`: what the audit log tells, lines, ratios, the table."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from e2e.bench.before.__main__ import main
from e2e.bench.before.edits import Sightings
from e2e.bench.before.lines import judge, over_before, table
from e2e.bench.before.trail import (
    applied_after_owner,
    first_children,
    status_after_children,
    wish_of,
    writes_each,
)
from e2e.bench.builds import before
from e2e.bench.client import BareClient
from e2e.cluster.audit import OPERATOR, AuditLog, Entry
from e2e.upgrade.earlier import EarlierError

ADMIN = "escadre-test-admin"


def entry(resource: str, name: str, at: float, **more: Any) -> Entry:
    """A patch of the operator that was answered with 201 within 0.1 s."""
    given: dict[str, Any] = {
        "user": OPERATOR,
        "verb": "patch",
        "subresource": "",
        "namespace": "team",
        "code": 201,
        "received": at - 0.1,
        "done": at,
    }
    return Entry(resource=resource, name=name, **(given | more))


def status(name: str, at: float) -> Entry:
    return entry("modeldeployments", name, at, subresource="status", code=200)


def test_an_audit_line_says_who_wrote_what_and_when(tmp_path: Path) -> None:
    line = {
        "stage": "ResponseComplete",
        "verb": "patch",
        "user": {"username": OPERATOR},
        "objectRef": {
            "resource": "modeldeployments",
            "subresource": "status",
            "name": "model-0001",
        },
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-27T20:00:00.250000Z",
        "stageTimestamp": "2026-11-27T20:00:01.500000Z",
        "requestURI": "/apis/escadre.dev/v1alpha1/x?fieldManager=escadre&force=true",
    }
    log = tmp_path / "audit.log"
    watch = json.dumps(line | {"verb": "watch"}, separators=(",", ":"))
    whole = json.dumps(line, separators=(",", ":"))
    log.write_text(f"{watch}\n{whole}\n{whole[:40]}")  # the last one is half-written
    (found,) = AuditLog(log).entries(user=OPERATOR)
    assert (found.resource, found.subresource, found.code) == ("modeldeployments", "status", 200)
    assert found.done - found.received == 1.25
    assert found.writes
    assert found.applies


def test_a_volume_is_about_the_wish_of_its_claim() -> None:
    assert wish_of(entry("services", "model-0007", 1), {}) == "model-0007"
    assert wish_of(entry("events", "model-0007.18a", 1), {}) == "model-0007"
    assert wish_of(entry("persistentvolumes", "escadre-1", 1), {"escadre-1": "model-0002"}) == (
        "model-0002"
    )
    assert not wish_of(entry("gpunodes", "gpu-001", 1), {})


def test_writes_are_counted_for_each_deployment_by_kind() -> None:
    writes = [
        entry("services", "model-0000", 1),
        status("model-0000", 2),
        status("model-0001", 2),
        status("model-0001", 3),
        entry("events", "model-0001.1", 3),
        entry("gpunodes", "gpu-000", 3),
    ]
    assert writes_each(writes, 2) == {"status": 1.5, "event": 0.5, "all": 3.0}


def test_the_first_child_after_an_edit_is_neither_an_event_nor_an_earlier_one() -> None:
    entries = [
        entry("services", "model-0000", 0.9),  # under way when the edit came
        entry("events", "model-0000.1", 1.2),
        status("model-0000", 1.3),
        entry("deployments", "model-0000-1", 1.5, code=409),
        entry("deployments", "model-0000-1", 1.8),
        entry("services", "model-0000", 1.9, code=200),
        entry("services", "model-0003", 1.4),  # nobody edited it
    ]
    assert first_children(entries, {"model-0000": 1.0}) == {"model-0000": 1.8}


def test_a_status_is_late_by_the_time_from_the_last_child() -> None:
    entries = [
        entry("services", "model-0000", 1),
        entry("persistentvolumes", "escadre-1", 2),
        entry("services", "model-0000", 9, code=200),  # no new child
        status("model-0000", 3.5),
        status("model-0000", 9),
        status("model-0001", 1),  # told before there was anything
        entry("services", "model-0001", 4),
    ]
    late = status_after_children(entries, {"escadre-1": "model-0000"})
    assert late == {"model-0000": 1.5, "model-0001": 0.0}


def test_a_child_is_late_when_its_request_came_in_after_the_owner_was_gone() -> None:
    gone = entry("modeldeployments", "model-0000", 5, user=ADMIN, verb="delete", code=200)
    late = entry("services", "model-0000", 5.2, applies=True)
    entries = [
        entry("deployments", "model-0000-0", 5.05, applies=True),  # came in before
        gone,
        late,
        entry("services", "model-0000", 5.3, verb="delete", code=200),
        entry("persistentvolumeclaims", "model-0000-e7", 5.3, code=200),  # its finalizer taken off
        entry("networkpolicies", "model-0000", 5.3, code=404, applies=True),
        entry("services", "model-0001", 5.3, applies=True),  # is there
        entry("persistentvolumes", "escadre-1", 6, code=200, applies=True),
    ]
    assert applied_after_owner(entries, {"escadre-1": "model-0000"}) == [late, entries[-1]]


def samples(**more: list[float]) -> dict[str, list[float]]:
    return {
        "restOn": [10, 14, 12],
        "editChildOn": [0.1] * 98 + [0.4, 0.9],
        "editChildOff": [0.1] * 99 + [0.8],
        "editStatusOn": [0.2] * 100,
        "memoryBase": [100],
        **more,
    }


def test_lines_compare_medians_and_percentiles_of_all_edits_together() -> None:
    this = samples(restOn=[3, 4, 50], editStatusOn=[0.15] * 100, memoryBase=[85])
    found = {one.line.key: one for one in judge(samples(), this)}
    assert (found["restOn"].before, found["restOn"].this) == (12, 4)
    assert found["restOn"].met
    assert found["editChildP50"].this == 0.1
    assert found["editChildP95"].this == 0.1
    assert found["editChildP99"].this == 0.4
    assert found["editChildP99"].met is False
    assert found["editChildOnOverOff"].this == 4
    assert found["editChildOnOverOff"].met is False
    assert "deleteSeconds" not in found


def test_a_ratio_to_nothing_is_none_and_meets_no_goal() -> None:
    (found,) = judge({"deleteSeconds": [0.0]}, {"deleteSeconds": [1.0]})
    assert found.ratio is None
    assert found.met is None


def test_the_report_carries_the_ratios_and_the_worse_of_both_edits() -> None:
    this = samples(restOn=[3], editStatusOn=[0.18] * 100)
    assert over_before(judge(samples(), this)) == {
        "restCpu": 0.25,
        "editP99": 1.0,
        "memoryBase": 1.0,
    }


def test_the_table_fits_eighty_columns_and_names_what_is_missed() -> None:
    every = {
        f"{name}{kind}": [123.456]
        for name in ("restO", "editChildO", "editStatusO")
        for kind in ("n", "ff")
    } | {
        name: [1234.5]
        for name in (
            "restWrites",
            "largeCpu",
            "largeOverFloor",
            "largeStatus",
            "largeSlope",
            "largeStatusAfterChildren",
            "coldStatus",
            "coldStatusAfterChildren",
            "memoryBase",
            "deleteSeconds",
            "deleteLate",
        )
    }
    lines = table(judge(every, every)).splitlines()
    assert len(lines) == 2 + 3 + 10 + 10
    assert max(len(line) for line in lines) <= 80
    (rest,) = (line for line in lines if line.startswith("at rest: CPU, scraping"))
    assert rest.split()[-4:] == ["≤", "0.35", "×", "NO"]


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_goal_of_this_build_alone_needs_no_ratio(value: float) -> None:
    (found,) = judge({"deleteLate": [0]}, {"deleteLate": [value]})
    assert found.met is (value == 0)


def test_a_status_counts_from_the_edit_of_its_generation() -> None:
    seen = Sightings(cast("BareClient", None))
    for observed, at in ((1, 10.0), (2, 11.5), (3, 12.0)):
        seen.see(deployment("model-0000", observed), at)
    seen.expect("model-0000", 2, 11.0)
    seen.expect("model-0001", 2, 11.0)
    assert seen.waits() == [0.5]
    assert not seen.complete()
    seen.see({"metadata": {"name": "model-0001"}}, 11.1)  # no status yet
    seen.see(deployment("model-0001", 3), 10.9)  # told before the answer was read
    assert seen.waits() == [0.5, 0.0]
    assert seen.complete()


def deployment(name: str, observed: int) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"observedGeneration": observed}}


def test_a_checkout_without_an_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(EarlierError, match=r"\.venv/bin/escadre is missing: make install in"):
        before("0" * 40, tmp_path)


def test_what_cannot_be_made_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["before", "--before", str(tmp_path)])
    assert main() == 2
    assert capsys.readouterr().out.startswith("bench-before: ")


def test_an_unknown_row_names_those_there_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["before", "--rows", "rest,speed"])
    with pytest.raises(SystemExit):
        main()
    assert "no rows speed; there are rest, edit, cold, writes, memory, delete" in (
        capsys.readouterr().err
    )
