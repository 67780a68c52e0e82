"""Least rights, seen in use: the audit log of the whole session against the rules of the chart.

Comes after all other cases (conftest.py), and uses by itself every right there is, so that alone
it comes to the same end.
"""

import json
from collections.abc import Iterator

import pytest
import yaml

from e2e.cases.serving import pods_of, serving
from e2e.cluster.audit import AGENT, OPERATOR, Entry
from e2e.cluster.wait import wait_for
from e2e.stage.stage import NAMESPACE, TEAM, Stage

pytestmark = pytest.mark.cluster

Right = tuple[str, str, str, str]  # user, API group, resource, verb

# Granted, and not used in every session. Whatever else is unused is to be taken away.
RARE: dict[Right, str] = {
    (OPERATOR, "", "events", "patch"): (
        "counts an event that came again after a minute: no case waits that long"
    ),
    (OPERATOR, "", "pods", "delete"): (
        "hastens the end of an engine that leaves while it loads: no case catches one loading; "
        "tests/policies/test_operator.py tries the right and its limit"
    ),
    (AGENT, "", "secrets", "get"): (
        "granted only with agent.mirrorSecrets, used only for a mirror with credentials"
    ),
}
MANAGED = "app.kubernetes.io/managed-by"
ROLES = frozenset({"clusterroles", "clusterrolebindings", "roles", "rolebindings"})


def test_every_right_is_needed_and_none_is_missing(stage: Stage) -> None:
    _use_rights(stage)
    granted = set(_granted(stage))
    seen = sorted(stage.cluster.audit.answered(), key=lambda one: one.received)
    assert not list(_refused(seen))
    used = set(_used(seen))
    assert used <= granted
    assert granted - used <= RARE.keys()
    assert RARE.keys() - {(AGENT, "", "secrets", "get")} <= granted


def _use_rights(stage: Stage) -> None:
    """What the life of a deployment does not bring by itself: lost labels, leftovers, a victim."""
    with serving(stage, "rights", scaling={"minReplicas": 2, "maxReplicas": 2}):
        for kind in ("service", "networkpolicy", "pdb", "pvc", "deployment"):
            _strip(stage, kind, "-n", TEAM, "-l", "escadre.dev/deployment=rights")
        _strip(stage, "pv", "-l", "escadre.dev/owner-name=rights")
        _leave_claim(stage)
        stage.deploy("rights", "base", scaling={"minReplicas": 1, "maxReplicas": 1})
        wait_for(lambda: len(pods_of(stage, "rights")) == 1, 60, "one replica to leave")
    wait_for(
        lambda: not stage.cluster.list("pv", "-l", "escadre.dev/owner-name=rights"),
        60,
        "the volume to be deleted",
    )


def _strip(stage: Stage, kind: str, *where: str) -> None:
    """Somebody takes our label off a child: it is read again, known and mended."""
    name = stage.cluster.list(kind, *where)[0]["metadata"]["name"]
    scope = [] if kind == "pv" else ["-n", TEAM]
    stage.cluster.kubectl("label", kind, name, f"{MANAGED}-", *scope)

    def mended() -> bool:
        labels = stage.cluster.list(kind, *where)[0]["metadata"]["labels"]
        return bool(labels.get(MANAGED) == "escadre")

    wait_for(mended, 30, f"{kind} {name} to have its label again")


def _leave_claim(stage: Stage) -> None:
    """A claim for weights that the deployment no longer wants."""
    cluster = stage.cluster
    live = cluster.list("pvc", "-n", TEAM, "-l", "escadre.dev/deployment=rights")[0]
    name = "rights-" + "0" * 16
    kept = {key: live["metadata"][key] for key in ("namespace", "labels", "ownerReferences")}
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, **kept},
        "spec": live["spec"] | {"volumeName": "nothing"},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(claim))
    wait_for(
        lambda: name not in {one["metadata"]["name"] for one in cluster.list("pvc", "-n", TEAM)},
        30,
        "the claim to be deleted",
    )


def _granted(stage: Stage) -> Iterator[Right]:
    """The rules as installed, per account."""
    manifest = stage.cluster.helm("get", "manifest", "escadre", "--namespace", NAMESPACE)
    objects = [one for one in yaml.safe_load_all(manifest) if one]
    roles = {(one["kind"], one["metadata"]["name"]): one for one in objects if "rules" in one}
    for binding in (one for one in objects if "roleRef" in one):
        role = roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]]
        for subject in binding["subjects"]:
            user = f"system:serviceaccount:{subject['namespace']}:{subject['name']}"
            for rule in role["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        yield from ((user, group, resource, verb) for verb in rule["verbs"])


def _used(seen: list[Entry]) -> Iterator[Right]:
    for one in seen:
        if one.user in {OPERATOR, AGENT} and not one.unauthorised:
            yield one.user, one.group, one.target, one.verb
            if one.verb == "patch" and one.code == 201:  # an apply that creates: both are checked
                yield one.user, one.group, one.target, "create"


def _refused(seen: list[Entry]) -> Iterator[Entry]:
    """Requests that RBAC refused, but for those while Helm had taken the roles away."""
    uninstalled = False
    for one in seen:
        if one.target in ROLES and one.name.startswith("escadre-") and one.code < 300:
            uninstalled = {"delete": True, "create": False}.get(one.verb, uninstalled)
        if one.user in {OPERATOR, AGENT} and one.unauthorised and not uninstalled:
            yield one
