"""e2e/cluster/audit.py reads what the API server writes, also what it could not place."""

import json
from pathlib import Path
from typing import Any

from e2e.cluster.audit import OPERATOR, AuditLog, Watcher

TIME = "2026-11-28T06:00:00.000000Z"


def line(stage: str, verb: str, resource: str, **more: Any) -> str:
    entry: dict[str, Any] = {
        "stage": stage,
        "user": {"username": OPERATOR},
        "verb": verb,
        "objectRef": {"resource": resource, "name": "one"},
        "requestReceivedTimestamp": TIME,
        "stageTimestamp": TIME,
        **more,
    }
    return f"{json.dumps(entry, separators=(',', ':'))}\n"


def test_a_request_without_a_user_is_nobody_s(tmp_path: Path) -> None:
    """The server knows none when it could not check the token: while it starts or stops."""
    log = tmp_path / "audit.log"
    resource = "customresourcedefinitions"
    more: dict[str, Any] = {"user": {}, "responseStatus": {"code": 401}}
    log.write_text(line("ResponseComplete", "get", resource, **more))
    (found,) = AuditLog(log).answered()
    assert (found.user, found.target, found.code) == ("", resource, 401)


def test_a_request_says_which_pod_asked_for_which_part_and_whether_rbac_refused(
    tmp_path: Path,
) -> None:
    log = tmp_path / "audit.log"
    extra = {"authentication.kubernetes.io/pod-name": ["escadre-operator-1"]}
    about = {"resource": "pods", "subresource": "eviction", "apiGroup": "", "name": "one"}
    more: dict[str, Any] = {
        "user": {"username": OPERATOR, "extra": extra},
        "objectRef": about,
        "annotations": {"authorization.k8s.io/decision": "forbid"},
    }
    log.write_text(line("ResponseComplete", "create", "pods", **more) + '{"half":')
    (found,) = AuditLog(log).answered()
    assert (found.pod, found.target, found.resource) == (
        "escadre-operator-1",
        "pods/eviction",
        "pods",
    )
    assert found.unauthorised
    assert found.writes


def test_a_watch_is_open_from_its_start_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(
        line("ResponseStarted", "watch", "pods", auditID="a")
        + line("ResponseStarted", "watch", "nodes", auditID="b")
        + line("ResponseComplete", "get", "pods", auditID="c")
        + line("ResponseComplete", "watch", "pods", auditID="a")
    )
    assert AuditLog(log).open_watches(0) == {Watcher(OPERATOR, "", "nodes"): 1}
    assert [one.verb for one in AuditLog(log).entries()] == ["get"]
