"""RBAC of the chart: least rights, no wildcard, no Secret but the ones named."""

from collections.abc import Iterator

import pytest
from tests.chart.rendering import CI_VALUES, NAMESPACE, Json, Rendered, render

from escadre.api.kinds import KINDS
from escadre.names import GROUP, LEASE_NAME


def _roles(rendered: Rendered) -> Iterator[Json]:
    yield from rendered.all("ClusterRole")
    yield from rendered.all("Role")


def _granted(role: Json) -> set[tuple[str, str]]:
    return {
        (resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.mark.parametrize("values", CI_VALUES)
def test_no_rule_has_a_wildcard(values: str) -> None:
    for role in _roles(render(values)):
        for rule in role["rules"]:
            assert set(rule) <= {"apiGroups", "resources", "resourceNames", "verbs"}
            for words in rule.values():
                assert not [word for word in words if "*" in word], role["metadata"]["name"]


@pytest.mark.parametrize("values", CI_VALUES)
def test_only_the_agent_reads_secrets_and_only_named_ones(values: str) -> None:
    rules = [
        (role["kind"], role["metadata"].get("namespace"), rule)
        for role in _roles(render(values))
        for rule in role["rules"]
        if "secrets" in rule["resources"]
    ]
    named = {
        "apiGroups": [""],
        "resources": ["secrets"],
        "resourceNames": ["mirror-token", "other-token"],
        "verbs": ["get"],
    }
    assert rules == ([("Role", NAMESPACE, named)] if values == "full" else [])


def test_nobody_in_the_product_may_widen_rights_or_sign() -> None:
    escalating = {"escalate", "bind", "impersonate", "approve", "revoke"}
    for name in ("escadre-operator", "escadre-agent"):
        granted = _granted(render("full").get("ClusterRole", name))
        assert not {verb for _, verb in granted} & escalating
        assert not {resource for resource, _ in granted} & {"pods/exec", "secrets", "roles"}


def test_agent_reads_its_kind_and_patches_its_status() -> None:
    assert _granted(render("default").get("ClusterRole", "escadre-agent")) == {
        ("gpunodes", "list"),
        ("gpunodes", "watch"),
        ("gpunodes/status", "patch"),
    }


def test_operator_never_writes_what_people_wrote() -> None:
    granted = _granted(render("default").get("ClusterRole", "escadre-operator"))
    reading = {"list", "watch"}
    for kind in ("modeldeployments", "modelapprovals", "modelsignatures", "modelmirrors"):
        assert {verb for resource, verb in granted if resource == kind} == reading
    assert {verb for resource, verb in granted if resource == "gpunodes/status"} == set()


@pytest.mark.parametrize("values", CI_VALUES)
def test_each_binding_names_an_account_and_a_role_of_the_chart(values: str) -> None:
    rendered = render(values)
    accounts = {one["metadata"]["name"] for one in rendered.all("ServiceAccount")}
    for kind in ("ClusterRoleBinding", "RoleBinding"):
        for binding in rendered.all(kind):
            role = binding["roleRef"]
            assert rendered.get(role["kind"], role["name"])
            (subject,) = binding["subjects"]
            assert subject["name"] in accounts
            assert subject["namespace"] == NAMESPACE


def test_operator_may_read_every_kind_it_waits_for() -> None:
    rules = render("default").get("ClusterRole", "escadre-operator")["rules"]
    (rule,) = [rule for rule in rules if "customresourcedefinitions" in rule["resources"]]
    assert rule["resourceNames"] == sorted(f"{kind.plural}.{GROUP}" for kind in KINDS)
    (reading,) = [rule for rule in rules if "modelmirrors" in rule["resources"]]
    assert sorted(reading["resources"]) == sorted(kind.plural for kind in KINDS)


def test_operator_may_use_its_lease() -> None:
    rules = render("default").get("Role", "escadre-operator")["rules"]
    assert [rule.get("resourceNames") for rule in rules] == [None, [LEASE_NAME]]


@pytest.mark.parametrize("role", ["view", "requester", "approver", "platform"])
def test_who_drafts_or_signs_may_read_the_mirror_that_it_is_read_from(role: str) -> None:
    rules = render("default").get("ClusterRole", f"escadre-{role}")["rules"]
    (rule,) = [rule for rule in rules if "modelmirrors" in rule["resources"]]
    assert {"get", "list"} <= set(rule["verbs"])


@pytest.mark.parametrize("role", ["view", "edit", "requester", "approver", "platform"])
def test_people_may_get_the_lease_of_the_leader_and_no_other(role: str) -> None:
    rules = render("default").get("ClusterRole", f"escadre-{role}")["rules"]
    (rule,) = [rule for rule in rules if "leases" in rule["resources"]]
    assert rule == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": [LEASE_NAME],
        "verbs": ["get"],
    }
