"""The chart as it stands on a real API server: policies word for word, roles, uninstall."""

import json
from pathlib import Path
from typing import Final

import pytest
from e2e.cluster.cluster import Cluster
from e2e.cluster.wait import wait_for
from tests.policies.conftest import install
from tests.policies.objects import signature
from tests.policies.users import (
    AGENT,
    ANNE,
    BRUNO,
    EVE,
    NAMESPACE,
    OPERATOR,
    Json,
    User,
    attempt,
    until_allowed,
)

from escadre.settings import load

pytestmark = pytest.mark.cluster

SIGNATURES: Final = "modelsignatures.escadre.dev"
KEPT: Final = "crd,validatingadmissionpolicy,validatingadmissionpolicybinding"


def test_live_policies_are_those_of_the_settings_file(cluster: Cluster, tmp_path: Path) -> None:
    config = cluster.get("configmap", "escadre", NAMESPACE)["data"]["config.yaml"]
    path = tmp_path / "config.yaml"
    path.write_text(config)
    expectations = load(path).policies
    assert len(expectations) == 6
    for one in expectations:
        assert cluster.get(one.kind, one.name)["spec"] == one.spec, one.name


def _checked(policy: Json) -> bool:
    observed = policy.get("status", {}).get("observedGeneration")
    return bool(observed == policy["metadata"]["generation"])


def test_api_server_finds_no_fault_with_the_expressions(cluster: Cluster) -> None:
    def policies() -> list[Json]:
        return cluster.list("validatingadmissionpolicy")

    wait_for(lambda: all(_checked(one) for one in policies()), 60, "type checking of all policies")
    for one in policies():
        warnings = one["status"]["typeChecking"].get("expressionWarnings", [])
        assert warnings == [], one["metadata"]["name"]


def _team_member(cluster: Cluster) -> User:
    cluster.kubectl(
        "-n", "chat", "create", "rolebinding", "team", "--clusterrole=edit", "--user=tom"
    )
    return User("tom")


@pytest.mark.parametrize(
    ("user", "verb", "resource", "allowed"),
    [
        pytest.param(ANNE, "create", "modelapprovals", True, id="anne asks"),
        pytest.param(ANNE, "approve", "modelapprovals", False, id="anne does not approve"),
        pytest.param(BRUNO, "approve", "modelapprovals", True, id="bruno approves"),
        pytest.param(BRUNO, "create", "modelapprovals", False, id="bruno does not ask"),
        pytest.param(BRUNO, "delete", "modelsignatures", False, id="bruno deletes no signature"),
        pytest.param(EVE, "approve", "modelapprovals", False, id="eve does not approve"),
        pytest.param(OPERATOR, "approve", "modelapprovals", False, id="the operator approves none"),
        pytest.param(OPERATOR, "get", "secrets", False, id="the operator reads no Secret"),
        pytest.param(OPERATOR, "create", "pods", False, id="the operator makes no pod"),
        pytest.param(OPERATOR, "patch", "gpunodes/status", False, id="status is the agent's"),
        pytest.param(AGENT, "get", "secrets", False, id="the agent reads no Secret unnamed"),
        pytest.param(AGENT, "get", "nodes", False, id="the agent reads no Node"),
    ],
)
def test_rights(cluster: Cluster, user: User, verb: str, resource: str, allowed: bool) -> None:
    name, _, subresource = resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user.name,
            "resourceAttributes": {
                "verb": verb,
                "group": "" if name in {"secrets", "pods", "nodes"} else "escadre.dev",
                "resource": name,
                "subresource": subresource,
                "namespace": NAMESPACE if name in {"secrets", "pods"} else "",
            },
        },
    }
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review))
    assert json.loads(answer)["status"]["allowed"] is allowed


def test_a_teams_editor_deploys_in_its_namespace_only(cluster: Cluster) -> None:
    tom = _team_member(cluster)
    document: Json = {
        "apiVersion": "escadre.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "assistant", "namespace": "chat"},
        "spec": {"approval": "small", "contextLength": 4096},
    }
    create = ("create", "--dry-run=server", "-f", "-")
    wait_for(
        lambda: not attempt(cluster, tom, *create, document=document),
        30,
        "escadre-edit as part of edit",
    )
    document["metadata"]["namespace"] = "default"
    assert "cannot create resource" in attempt(cluster, tom, *create, document=document)


def _written(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Of every object of the release: which one it is, and a number that each write of ours moves.

    That is the generation. What has none has no status either: the version moves with each write.
    """
    manifest = cluster.helm("get", "manifest", "escadre", f"--namespace={NAMESPACE}")
    found = json.loads(cluster.kubectl("get", "-f", "-", "-o", "json", stdin=manifest))["items"]
    return {
        f"{one['kind']}/{one['metadata']['name']}": (
            one["metadata"]["uid"],
            str(one["metadata"].get("generation") or one["metadata"]["resourceVersion"]),
        )
        for one in found
    }


def test_an_upgrade_without_a_change_writes_nothing(cluster: Cluster) -> None:
    """A signature older than its policy does not count, so an upgrade must not renew them."""
    install(cluster)
    before = _written(cluster)
    assert {"NetworkPolicy", "ValidatingAdmissionPolicy", "CustomResourceDefinition"} <= {
        one.partition("/")[0] for one in before
    }
    install(cluster)
    assert _written(cluster) == before


def test_uninstall_keeps_kinds_and_policies_and_they_are_taken_up_again(cluster: Cluster) -> None:
    def kept() -> dict[str, str]:
        return {
            f"{one['kind']}/{one['metadata']['name']}": one["metadata"]["uid"]
            for one in cluster.list(KEPT)
            if "escadre" in one["metadata"]["name"]
        }

    before = kept()
    assert len(before) == 5 + 2 * 7
    cluster.helm("uninstall", "escadre", f"--namespace={NAMESPACE}", "--wait")
    try:
        until_allowed(cluster, BRUNO, "create", SIGNATURES, allowed=False)
        assert kept() == before
        # Four eyes hold while nobody counts: the right to sign is gone with the chart's roles.
        document = signature("clara")
        answer = attempt(cluster, BRUNO, "create", "-f", "-", document=document)
        assert "is forbidden" in answer
        assert cluster.list("modelsignature")
    finally:
        install(cluster)
        until_allowed(cluster, BRUNO, "create", SIGNATURES)
        until_allowed(cluster, OPERATOR, "patch", "nodes")
        until_allowed(cluster, AGENT, "get", "gpunodes.escadre.dev")
    assert kept() == before
