"""machinery/diff.py: live objects hold an intent, hand edits do not pass, defaults do."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre.machinery.diff import adds, corrections, holds

Json = dict[str, Any]

INTENT: Json = {
    "replicas": 1,
    "strategy": {"type": "Recreate"},
    "selector": {"matchLabels": {"app": "a"}},
    "template": {
        "metadata": {"labels": {"app": "a"}},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True},
            "affinity": {"nodeAffinity": {"required": [{"key": "k", "values": ["verified"]}]}},
            "containers": [
                {
                    "name": "engine",
                    "image": "vllm",
                    "args": ["/models", "--max-model-len=8", "--port=8000"],
                    "env": [{"name": "HF_HUB_OFFLINE", "value": "1"}],
                    "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
                    "resources": {
                        "requests": {"cpu": "4", "memory": "16384Mi"},
                        "limits": {"memory": "16384Mi", "nvidia.com/gpu": "2"},
                    },
                    "startupProbe": {"httpGet": {"path": "/health", "port": "http"}},
                    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
                    "securityContext": {"capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [
                        {"name": "cache", "mountPath": "/cache"},
                        {"name": "weights", "mountPath": "/models", "readOnly": True},
                    ],
                }
            ],
            "volumes": [
                {"name": "cache", "emptyDir": {"sizeLimit": "1024Mi"}},
                {"name": "weights", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "logging", "downwardAPI": {"items": [{"path": "l"}]}},
            ],
        },
    },
}


def as_stored() -> Json:
    """The intent after the API server filled in its defaults (seen on Kubernetes 1.36)."""
    live = copy.deepcopy(INTENT)
    live |= {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10}
    live["template"]["metadata"]["creationTimestamp"] = None
    pod = live["template"]["spec"]
    pod |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
    pod |= {"schedulerName": "default-scheduler", "terminationGracePeriodSeconds": 30}
    pod["volumes"][2]["downwardAPI"]["defaultMode"] = 420
    pod["volumes"][0]["emptyDir"]["sizeLimit"] = "1Gi"
    container = pod["containers"][0]
    container |= {"imagePullPolicy": "IfNotPresent", "terminationMessagePolicy": "File"}
    container["startupProbe"] |= {"failureThreshold": 3, "successThreshold": 1}
    container["startupProbe"]["httpGet"]["scheme"] = "HTTP"
    container["resources"] = {
        "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "2"},
        "limits": {"memory": "16Gi", "nvidia.com/gpu": "2"},
    }
    return live


def pod(live: Json) -> Json:
    found: Json = live["template"]["spec"]
    return found


def engine(live: Json) -> Json:
    found: Json = pod(live)["containers"][0]
    return found


def mended(live: Json) -> Json:
    """``live`` after the corrections and the forced apply that follows them."""
    after = copy.deepcopy(live)
    for step in corrections(INTENT, live, "/spec"):
        assert step["path"].count("/") == 2
        key = step["path"].rsplit("/", 1)[1]
        if step["op"] == "remove":
            del after[key]
        else:
            after[key] = copy.deepcopy(step["value"])
    return after


def test_what_the_server_fills_in_is_no_difference() -> None:
    assert holds(INTENT, as_stored())
    assert corrections(INTENT, as_stored(), "/spec") == []


Hand = Callable[[Json], Any]
CHANGED: dict[str, Hand] = {
    "argument changed": lambda live: engine(live)["args"].__setitem__(1, "--max-model-len=9"),
    "argument added": lambda live: engine(live)["args"].append("--trust-remote-code"),
    "argument removed": lambda live: engine(live)["args"].pop(),
    "arguments swapped": lambda live: engine(live)["args"].reverse(),
    "value of the environment": lambda live: engine(live)["env"][0].update(value="0"),
    "environment removed": lambda live: engine(live).pop("env"),
    "image": lambda live: engine(live).update(image="other"),
    "memory": lambda live: engine(live)["resources"]["limits"].update(memory="17Gi"),
    "GPUs": lambda live: engine(live)["resources"]["limits"].update({"nvidia.com/gpu": "1"}),
    "token mounted": lambda live: pod(live).pop("automountServiceAccountToken"),
    "weights writable": lambda live: engine(live)["volumeMounts"][1].pop("readOnly"),
    "mount moved": lambda live: engine(live)["volumeMounts"][1].update(mountPath="/other"),
    "affinity": lambda live: pod(live)["affinity"].pop("nodeAffinity"),
    "replicas": lambda live: live.update(replicas=2),
    "strategy": lambda live: live["strategy"].update(type="RollingUpdate"),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_a_hand_edit_of_what_we_set_is_found(change: Hand) -> None:
    live = as_stored()
    change(live)
    assert not holds(INTENT, live)


ADDED: dict[str, Hand] = {
    "environment": lambda live: engine(live)["env"].append({"name": "LD_PRELOAD", "value": "x"}),
    "the same variable twice": lambda live: engine(live)["env"].append(
        {"name": "HF_HUB_OFFLINE", "value": "0"}
    ),
    "value from elsewhere": lambda live: engine(live)["env"][0].update(
        valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}
    ),
    "environment from a map": lambda live: engine(live).update(
        envFrom=[{"configMapRef": {"name": "m"}}]
    ),
    "container": lambda live: pod(live)["containers"].append({"name": "sidecar", "image": "i"}),
    "init container": lambda live: pod(live).update(initContainers=[{"name": "i", "image": "i"}]),
    "volume": lambda live: pod(live)["volumes"].append({"name": "v", "hostPath": {"path": "/"}}),
    "other source of a volume": lambda live: pod(live)["volumes"][0].update(hostPath={}),
    "mount of a new volume": lambda live: engine(live)["volumeMounts"].append(
        {"name": "v", "mountPath": "/v"}
    ),
    "second mount of a volume": lambda live: engine(live)["volumeMounts"].append(
        {"name": "cache", "mountPath": "/again"}
    ),
    "sub-path": lambda live: engine(live)["volumeMounts"][1].update(subPath="x"),
    "port": lambda live: engine(live)["ports"].append({"containerPort": 22, "protocol": "TCP"}),
    "host port": lambda live: engine(live)["ports"][0].update(hostPort=8000),
    "command": lambda live: engine(live).update(command=["sh"]),
    "host network": lambda live: pod(live).update(hostNetwork=True),
    "service account": lambda live: pod(live).update(serviceAccountName="admin"),
    "toleration": lambda live: pod(live).update(tolerations=[{"operator": "Exists"}]),
    "node selector": lambda live: pod(live).update(nodeSelector={"zone": "a"}),
    "pod affinity": lambda live: pod(live)["affinity"].update(podAffinity={}),
    "probe handler": lambda live: engine(live)["startupProbe"].update(exec={"command": ["true"]}),
    "lifecycle hook": lambda live: engine(live)["lifecycle"].update(postStart={}),
    "capability": lambda live: engine(live)["securityContext"]["capabilities"].update(add=["X"]),
    "privilege": lambda live: engine(live)["securityContext"].update(privileged=True),
    "limit": lambda live: engine(live)["resources"]["limits"].update(cpu="1"),
    "pause": lambda live: live.update(paused=True),
    "rolling update": lambda live: live["strategy"].update(rollingUpdate={"maxSurge": 1}),
    "selector": lambda live: live["selector"]["matchLabels"].update(more="x"),
}


@pytest.mark.parametrize("change", ADDED.values(), ids=ADDED)
def test_what_a_foreign_hand_added_is_found_and_taken_away(change: Hand) -> None:
    live = as_stored()
    change(live)
    assert corrections(INTENT, live, "/spec")
    after = mended(live)
    assert holds(INTENT, after)
    assert corrections(INTENT, after, "/spec") == []


@pytest.mark.parametrize("first", CHANGED.values(), ids=CHANGED)
def test_an_addition_and_a_change_are_mended_in_one_write(first: Hand) -> None:
    # Two writes would restart the engine twice.
    live = as_stored()
    first(live)
    ADDED["command"](live)
    steps = [one for one in corrections(INTENT, live, "/spec") if one["path"] == "/spec/template"]
    assert steps == [{"op": "replace", "path": "/spec/template", "value": INTENT["template"]}]


@pytest.mark.parametrize(
    ("intent", "live", "same"),
    [
        ({"memory": "1Gi"}, {"memory": "1024Mi"}, True),
        ({"memory": "1Gi"}, {"memory": "1G"}, False),
        ({"cpu": "0.5"}, {"cpu": "500m"}, True),
        ({"cpu": 4}, {"cpu": "4"}, True),
        ({"cpu": "1e3"}, {"cpu": "1k"}, True),
        ({"cpu": "1E"}, {"cpu": "1000P"}, True),
        ({"cpu": "a"}, {"cpu": "b"}, False),
        ({"cpu": "4"}, {"cpu": "5"}, False),
        ({"cpu": "4"}, {}, False),
    ],
)
def test_quantities_are_compared_by_their_value(intent: Json, live: Json, same: bool) -> None:
    # The API server stores 1024Mi as 1Gi: compared as text, it would be written again for ever.
    for field in ("requests", "limits", "capacity"):
        assert holds({field: intent}, {field: live}) is same
    assert not holds({"env": {"x": "1000m"}}, {"env": {"x": "1"}})


@pytest.mark.parametrize(
    ("intent", "live", "expected"),
    [
        ({"egress": []}, {}, True),
        ({"egress": []}, {"egress": [{}]}, False),
        ({"a": {}}, {}, True),
        ({"a": {}}, {"a": {"b": 1}}, True),
        ({"a": None}, {}, True),
        ({"a": False}, {}, False),
        ({"a": 0}, {}, False),
        ({"a": ""}, {"a": ""}, True),
        ({"a": 1}, None, False),
        ({"a": {"b": 1}}, {"a": [1]}, False),
        ([1, 2], [1, 2, 3], False),
        ([1, [2, {"a": 1}]], [1, [2, {"a": 1, "b": 2}]], True),
        ({"containers": [{"name": "a"}, {"name": "b"}]}, {"containers": [{"name": "b"}]}, False),
        (
            {"containers": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]},
            {"containers": [{"name": "b", "x": 2}, {"name": "a", "x": 1}]},
            True,
        ),
        # Two Service ports with one number are told apart by their protocol.
        (
            {"ports": [{"port": 53, "protocol": "UDP", "name": "u"}]},
            {"ports": [{"port": 53, "protocol": "TCP", "name": "t"}]},
            False,
        ),
        (
            {"conditions": [{"type": "A", "x": 1}, {"type": "B", "x": 2}]},
            {"conditions": [{"type": "B", "x": 2}, {"type": "C"}, {"type": "A", "x": 1}]},
            True,
        ),
        ({"ports": [{"port": 80}]}, {"ports": [{"port": 80, "protocol": "TCP"}]}, True),
        # A volume's storageClassName "" is not stored.
        ({"storageClassName": "", "mode": "x"}, {"mode": "x"}, True),
        ({"storageClassName": ""}, {"storageClassName": "fast"}, False),
    ],
)
def test_holds(intent: Any, live: Any, expected: bool) -> None:
    assert holds(intent, live) is expected


NETWORK: Json = {
    "podSelector": {"matchLabels": {"a": "b"}},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]}],
    "egress": [],
}
SERVICE: Json = {
    "type": "ClusterIP",
    "selector": {"a": "b"},
    "ports": [{"name": "http", "port": 80}],
}


@pytest.mark.parametrize(
    ("intent", "more"),
    [
        pytest.param(NETWORK, {"egress": [{}]}, id="way-out"),
        pytest.param(
            NETWORK,
            {"ingress": [{**NETWORK["ingress"][0], "from": [{"podSelector": {"x": "y"}}]}]},
            id="narrower",
        ),
        pytest.param(
            NETWORK,
            {
                "ingress": [
                    {
                        "from": [{"podSelector": {}, "namespaceSelector": {}}],
                        "ports": NETWORK["ingress"][0]["ports"],
                    }
                ]
            },
            id="every-namespace",
        ),
        pytest.param(
            NETWORK, {"podSelector": {"matchLabels": {"a": "b", "c": "d"}}}, id="selects-nothing"
        ),
        pytest.param(SERVICE, {"selector": {"a": "b", "c": "d"}}, id="service-selects-nothing"),
        pytest.param(SERVICE, {"externalIPs": ["192.0.2.1"]}, id="external-address"),
        pytest.param(
            SERVICE, {"ports": [*SERVICE["ports"], {"name": "x", "port": 22}]}, id="service-port"
        ),
    ],
)
def test_a_widened_service_or_policy_is_found(intent: Json, more: Json) -> None:
    live = {**copy.deepcopy(intent), **more}
    assert corrections(intent, live, "/spec") or not holds(intent, live)


def test_what_the_server_adds_to_a_service_is_no_difference() -> None:
    live = {
        "type": "ClusterIP",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "selector": {"a": "b"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    assert holds(SERVICE, live)
    assert corrections(SERVICE, live, "/spec") == []


NAMES = st.sampled_from(("a", "b", "c"))
LEAVES = st.integers(0, 3) | st.text("xy", min_size=1, max_size=2) | st.booleans()
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.dictionaries(NAMES, inner, min_size=1, max_size=3)
        | st.lists(inner, min_size=1, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"name": NAMES, "x": inner}),
            min_size=1,
            unique_by=lambda item: item["name"],
        ).map(lambda items: {"containers": items})
    ),
    max_leaves=12,
)


@given(JSON)
def test_everything_holds_itself_and_adds_nothing(value: Any) -> None:
    assert holds(value, copy.deepcopy(value))
    assert not adds("", value, copy.deepcopy(value))


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from _leaves(inner, (*path, key))
        else:
            yield (*path, key)


@given(JSON.filter(lambda value: isinstance(value, dict | list)), st.data())
def test_without_any_one_leaf_it_does_not_hold(value: Any, data: st.DataObject) -> None:
    *path, last = data.draw(st.sampled_from(list(_leaves(value))))
    live = inner = copy.deepcopy(value)
    for key in path:
        inner = inner[key]
    del inner[last]
    assert not holds(value, live)


@given(JSON, JSON)
def test_holding_is_asked_only_of_what_the_intent_has(value: Any, other: Any) -> None:
    if isinstance(value, dict) and isinstance(other, dict):
        assert holds(value, {**other, **value})
