"""A replica's pod that the API server refuses: named in its own words, and made when it may be."""

import json
from collections.abc import Iterator

import pytest

from e2e.cases.faulting import why
from e2e.cluster.cluster import CommandError
from e2e.cluster.wait import wait_for
from e2e.stage.stage import Json, Stage

pytestmark = pytest.mark.cluster

TEAM: str = "few"
QUOTA: Json = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "few", "namespace": TEAM},
    "spec": {"hard": {"pods": "1"}},
}
POLICY: Json = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "no-memory-folders"},
    "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": TEAM}},
            "resourceRules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ],
        },
        "validations": [
            {
                "expression": "!has(object.spec.volumes) || !object.spec.volumes.exists("
                "one, has(one.emptyDir) && has(one.emptyDir.medium) && "
                "one.emptyDir.medium == 'Memory')",
                "message": "folders in memory are not allowed here",
            }
        ],
    },
}
POD: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "tried", "namespace": TEAM},
    "spec": {
        # Pod Security is asked first, and must have nothing against it.
        "containers": [
            {
                "name": "one",
                "image": "none",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "runAsNonRoot": True,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }
        ],
        "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}],
    },
}
BINDING: Json = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicyBinding",
    "metadata": {"name": "no-memory-folders"},
    "spec": {"policyName": "no-memory-folders", "validationActions": ["Deny"]},
}


@pytest.fixture(scope="module", autouse=True)
def few(stage: Stage) -> Iterator[None]:
    """A namespace of its own: what is refused there is refused nobody else."""
    stage.team(TEAM)
    stage.approve("base", namespace=TEAM, options={"--name": "few"})
    yield
    stage.cluster.kubectl("delete", "namespace", TEAM)
    stage.cluster.kubectl("delete", "mapp", "few")


def _pods(stage: Stage) -> int:
    return len(stage.cluster.list("pods", "-n", TEAM))


def _tried(stage: Stage) -> str:
    """What the API server says to a pod with a folder in memory."""
    try:
        return stage.cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(POD))
    except CommandError as error:
        return str(error)


def test_a_quota_is_told_and_what_it_held_back_comes_when_it_is_raised(stage: Stage) -> None:
    stage.cluster.apply(QUOTA)
    stage.deploy("two", "few", namespace=TEAM, scaling={"minReplicas": 2, "maxReplicas": 2})
    found = stage.wait_condition("two", "Ready", "PodRefused", namespace=TEAM)
    assert "exceeded quota: few" in found["message"]
    assert stage.condition("two", "Stalled", TEAM)["reason"] == "PodRefused"
    stage.cluster.apply({**QUOTA, "spec": {"hard": {"pods": "3"}}})
    stage.wait_condition("two", "Ready", "Ready", deadline=120, namespace=TEAM)
    stage.cluster.kubectl("delete", "mdep", "two", "-n", TEAM)
    wait_for(lambda: _pods(stage) == 0, 60, "its pods to be gone")


def test_an_admission_policy_is_told_in_its_own_words(stage: Stage) -> None:
    for one in (POLICY, BINDING):
        stage.cluster.apply(one)
    try:
        # The API server takes some seconds to enforce a new policy.
        wait_for(lambda: "folders in memory" in _tried(stage), 60, "the policy to be enforced")
        stage.deploy("one", "few", namespace=TEAM)
        found = stage.wait_condition("one", "Ready", "PodRefused", namespace=TEAM)
        assert "folders in memory are not allowed here" in found["message"]
        assert "folders in memory are not allowed here" in why(stage, "one", TEAM)
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            stage.cluster.kubectl("delete", kind, "no-memory-folders")
        # Nor does it stop at once: who comes next must not meet it.
        wait_for(lambda: "folders in memory" not in _tried(stage), 60, "the policy to be forgotten")
        stage.cluster.kubectl("delete", "mdep", "one", "-n", TEAM, "--ignore-not-found")
        wait_for(lambda: _pods(stage) == 0, 60, "its pods to be gone")
