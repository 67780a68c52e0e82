"""The pods and the kept objects of the chart."""

from collections.abc import Iterator

import pytest
from tests.chart.rendering import CI_VALUES, NAMESPACE, Json, render

from escadre.names import (
    LABEL_AGENT,
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_SERVING,
    MIRROR_FOLDERS_PATH,
    NODE_LABEL_PREFIX,
    STORE_PATH,
)
from escadre.state.views.unoffered import LABEL_PRODUCT

KEPT = ("CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
CLUSTER_SCOPED = (*KEPT, "ClusterRole", "ClusterRoleBinding")


def _containers(workload: Json) -> Iterator[tuple[Json, Json]]:
    pod = workload["spec"]["template"]["spec"]
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        yield container, {**pod["securityContext"], **container["securityContext"]}


@pytest.mark.parametrize("values", CI_VALUES)
def test_containers_are_restricted_but_for_the_one_that_owns_the_store(values: str) -> None:
    unrestricted = []
    for workload in render(values).workloads():
        for container, security in _containers(workload):
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert security["capabilities"]["drop"] == ["ALL"]
            assert "limits" in container["resources"]
            if "add" in security["capabilities"] or not security["runAsNonRoot"]:
                unrestricted.append(container["name"])
                assert security["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}
            else:
                assert security["runAsUser"] == 10001
    assert unrestricted == ["own-store"]


@pytest.mark.parametrize("values", CI_VALUES)
def test_only_the_store_is_of_the_host(values: str) -> None:
    host = []
    for workload in render(values).workloads():
        pod = workload["spec"]["template"]["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        host += [volume["hostPath"] for volume in pod["volumes"] if "hostPath" in volume]
    store = {"path": STORE_PATH, "type": "DirectoryOrCreate"}
    listed = [{"path": "/data/weights", "type": "Directory"}] if values == "full" else []
    assert host == [store, *listed]


def test_listed_folders_are_mounted_read_only_in_the_agent_alone() -> None:
    pod = render("full").get("DaemonSet", "escadre-agent")["spec"]["template"]["spec"]
    below = f"{MIRROR_FOLDERS_PATH}/"
    mounts = [
        mount
        for mount in pod["containers"][0]["volumeMounts"]
        if mount["mountPath"].startswith(below)
    ]
    assert [mount["mountPath"].removeprefix(below) for mount in mounts] == [
        "local",
        "share",
        "claim",
        "driver",
    ]
    assert all(mount["readOnly"] for mount in mounts)
    assert [mount["mountPropagation"] for mount in mounts] == ["HostToContainer", *["None"] * 3]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert [volumes[mount["name"]] for mount in mounts] == [
        {"name": "mirror-local", "hostPath": {"path": "/data/weights", "type": "Directory"}},
        {
            "name": "mirror-share",
            "nfs": {"server": "filer.bank.example", "path": "/weights", "readOnly": True},
        },
        {
            "name": "mirror-claim",
            "persistentVolumeClaim": {"claimName": "weights", "readOnly": True},
        },
        {
            "name": "mirror-driver",
            "csi": {
                "driver": "csi.bank.example",
                "volumeAttributes": {"share": "weights"},
                "nodePublishSecretRef": {"name": "share"},
                "readOnly": True,
            },
        },
    ]
    for workload in render("full").workloads():
        pod = workload["spec"]["template"]["spec"]
        mounted = [
            container["name"]
            for container in (*pod.get("initContainers", []), *pod["containers"])
            if any(mount["mountPath"].startswith(below) for mount in container["volumeMounts"])
        ]
        assert mounted == (["agent"] if workload["kind"] == "DaemonSet" else [])


@pytest.mark.parametrize("values", CI_VALUES)
def test_selectors_and_probes_fit_their_pods(values: str) -> None:
    rendered = render(values)
    for workload in rendered.workloads():
        template = workload["spec"]["template"]
        labels = template["metadata"]["labels"]
        component = labels[LABEL_COMPONENT]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items()
        ports = {port["name"]: port for port in template["spec"]["containers"][0]["ports"]}
        for probe in ("livenessProbe", "readinessProbe"):
            assert template["spec"]["containers"][0][probe]["httpGet"]["port"] in ports
        service = rendered.get("Service", f"escadre-{component}-metrics")["spec"]
        assert service["selector"].items() <= labels.items()
        assert service["ports"][0]["port"] == ports["metrics"]["containerPort"]
        policy = rendered.get("NetworkPolicy", f"escadre-{component}")["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("values", CI_VALUES)
def test_namespaced_objects_lie_in_the_release_namespace(values: str) -> None:
    for one in render(values).objects:
        scoped = one["kind"] not in CLUSTER_SCOPED
        assert one["metadata"].get("namespace") == (NAMESPACE if scoped else None), one["metadata"]


@pytest.mark.parametrize("values", CI_VALUES)
def test_no_object_holds_an_empty_list(values: str) -> None:
    # The API server stores none where one is applied empty, so each upgrade would be a change.
    for one in render(values).objects:
        assert not list(_empty_lists(one, one["kind"])), one["metadata"]["name"]


def _empty_lists(value: object, path: str) -> Iterator[str]:
    if value == []:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _empty_lists(inner, f"{path}.{key}")
    if isinstance(value, list):
        for inner in value:
            yield from _empty_lists(inner, path)


def test_kinds_and_policies_stay_after_uninstall() -> None:
    for kind in KEPT:
        objects = render("default").all(kind)
        assert objects
        for one in objects:
            assert one["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_each_policy_denies_through_its_binding() -> None:
    rendered = render("default")
    for policy in rendered.all("ValidatingAdmissionPolicy"):
        name = policy["metadata"]["name"]
        binding = rendered.get("ValidatingAdmissionPolicyBinding", name)
        assert binding["spec"] == {"policyName": name, "validationActions": ["Deny"]}
        assert policy["spec"]["failurePolicy"] == "Fail"
        for validation in policy["spec"]["validations"]:
            assert validation["message"]
            assert validation["reason"]


def test_agents_run_where_the_product_is_known_or_people_want_one() -> None:
    spec = render("default").get("DaemonSet", "escadre-agent")["spec"]["template"]["spec"]
    required = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": LABEL_PRODUCT, "operator": "Exists"}]},
        {"matchExpressions": [{"key": LABEL_AGENT, "operator": "In", "values": ["true"]}]},
    ]


def test_policies_name_what_the_product_names() -> None:
    policies = {
        one["metadata"]["name"]: str(one["spec"])
        for one in render("default").all("ValidatingAdmissionPolicy")
    }
    account = f"system:serviceaccount:{NAMESPACE}"
    assert f"{account}:escadre-agent" in policies["escadre-agents"]
    for name in ("nodes", "pods", "volumes"):
        assert f"{account}:escadre-operator" in policies[f"escadre-operator-{name}"]
    assert NODE_LABEL_PREFIX in policies["escadre-operator-nodes"]
    assert LABEL_SERVING in policies["escadre-operator-pods"]
    assert LABEL_COMPONENT in policies["escadre-operator-pods"]
    assert f"{STORE_PATH}/models/" in policies["escadre-operator-volumes"]
    assert LABEL_MANAGED_BY in policies["escadre-operator-volumes"]
