"""The API server's audit log: who asked for what, in the order of the answers."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from e2e.cluster.cluster import Cluster
from e2e.stage.stage import NAMESPACE, Json

__all__ = ["AGENT", "OPERATOR", "Request", "Watcher", "mark", "open_watches", "requests"]

OPERATOR = f"system:serviceaccount:{NAMESPACE}:escadre-operator"
AGENT = f"system:serviceaccount:{NAMESPACE}:escadre-agent"
READING = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request; ``resource`` is ``plural`` or ``plural/subresource``."""

    user: str
    pod: str  # whose token it was, where it was a pod's
    verb: str
    group: str
    resource: str
    namespace: str
    name: str
    code: int
    unauthorised: bool  # refused by RBAC, not by a policy
    at: str  # when it came in, as the log has it: sortable
    body: str  # as JSON; of patches of Nodes only

    @property
    def writes(self) -> bool:
        """Whether it asks for a change."""
        return self.verb not in READING


def mark(cluster: Cluster) -> int:
    """How long the log is now: where later requests begin."""
    return cluster.audit_log.stat().st_size


def requests(cluster: Cluster, since: int = 0) -> Iterator[Request]:
    """Every request for a resource that was answered after ``mark``."""
    for line in _lines(cluster.audit_log, since):
        entry = json.loads(line)
        if "objectRef" in entry:
            yield _request(entry, entry["objectRef"])


class Watcher(NamedTuple):
    """Whose watch it is, and of what."""

    user: str
    pod: str
    resource: str


def open_watches(cluster: Cluster) -> Counter[Watcher]:
    """How many watches each has open: begun, and not ended yet.

    A server that is stopped does not write that what it had open has ended.
    """
    found: dict[str, Watcher] = {}
    for line in _lines(cluster.audit_log, cluster.server_began):
        if b'"verb":"watch"' not in line:
            continue
        entry = json.loads(line)
        if entry["stage"] == "ResponseStarted":
            one = _request(entry, entry["objectRef"])
            found[entry["auditID"]] = Watcher(one.user, one.pod, one.resource)
        else:
            found.pop(entry["auditID"], None)
    return Counter(found.values())


def _lines(path: Path, since: int) -> Iterator[bytes]:
    with path.open("rb") as log:
        log.seek(since)
        for line in log:
            if line.endswith(b"\n"):  # the last one may be half-written
                yield line


def _request(entry: Json, about: Json) -> Request:
    part = f"/{about['subresource']}" if "subresource" in about else ""
    decision = entry.get("annotations", {}).get("authorization.k8s.io/decision")
    extra = entry["user"].get("extra", {})
    return Request(
        user=entry["user"].get("username", ""),  # none of one that was not authenticated
        pod=next(iter(extra.get("authentication.kubernetes.io/pod-name", ())), ""),
        verb=entry["verb"],
        group=about.get("apiGroup", ""),
        resource=about.get("resource", "") + part,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        unauthorised=decision == "forbid",
        at=entry["requestReceivedTimestamp"],
        body=json.dumps(entry.get("requestObject")),
    )
