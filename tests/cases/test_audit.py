"""e2e/cases/audit.py reads what the API server writes, also of requests that it could not place."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from e2e.cases.audit import requests
from e2e.cluster.cluster import Cluster


def test_a_request_without_a_user_is_nobody_s(tmp_path: Path) -> None:
    """The server knows none when it could not check the token: while it starts or stops."""
    entry: dict[str, Any] = {
        "user": {},
        "verb": "get",
        "objectRef": {"resource": "customresourcedefinitions", "name": "one"},
        "responseStatus": {"code": 401},
        "requestReceivedTimestamp": "2026-11-28T06:00:00.000000Z",
    }
    log = tmp_path / "audit.log"
    log.write_text(f"{json.dumps(entry)}\n")
    (found,) = requests(cast("Cluster", SimpleNamespace(audit_log=log)))
    assert (found.user, found.resource, found.code) == ("", "customresourcedefinitions", 401)
