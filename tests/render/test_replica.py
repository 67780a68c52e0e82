"""The engine's pod: restricted, offline, every flag explicit, drained through its label."""

import json
from typing import Any

import pytest
from tests.core.layout import LAYOUT
from tests.core.shapes import EVERY_MODEL, SMALL_3
from tests.render.objects import (
    DIGEST,
    ENGINE,
    EVERYTHING_SET,
    OWNER,
    REPOSITORY,
    children,
    replica_of,
)
from tests.render.restricted import violations

from escadre.core.engines.lastanswer import drain_seconds
from escadre.core.profile import PROFILES, EngineProfile
from escadre.core.replicas.drain import Drain
from escadre.mounted import escadre_drain
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_TEMPLATE,
    LABEL_SERVING,
    LABEL_SLOT,
    SERVING_PORT,
    node_weights_label,
)
from escadre.render.engine import LOGGING_CONFIG, MIDDLEWARE, engine_args, startup_seconds
from escadre.render.labels import Owner
from escadre.render.workload import recorded_template
from escadre.settings import EngineSettings

Json = dict[str, Any]


def pod(engine: EngineSettings = ENGINE, **more: Any) -> Json:
    found: Json = replica_of(engine=engine, **more)["spec"]["template"]["spec"]
    return found


def container(engine: EngineSettings = ENGINE) -> Json:
    (found,) = pod(engine)["containers"]
    return dict(found)


def test_the_version_that_layouts_are_judged_for_shapes_no_object() -> None:
    told = EngineSettings(image=ENGINE.image, version="0.29.1")
    assert replica_of(engine=told) == replica_of()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.version)
def test_an_engine_is_started_with_flags_that_its_version_has(profile: EngineProfile) -> None:
    layout = LAYOUT.model_copy(update={"text_only": profile.leaves_encoder_out})
    engine = EngineSettings(image=ENGINE.image, version=profile.version)
    args = engine_args(layout, SMALL_3, "a", REPOSITORY, engine)
    names = [word.partition("=")[0] for word in args if word.startswith("--")]
    assert [name for name in names if not profile.has(name)] == []
    assert [name for name in names if profile.flags.named[name].verdict == "allowed"] == []
    # All that a version has of what the newest is started with.
    newest = engine_args(layout, SMALL_3, "a", REPOSITORY, ENGINE)
    assert args == [word for word in newest if word[:2] != "--" or word in args]
    assert len(args) == len(newest) - (not profile.has("--shutdown-timeout"))


def test_before_0_18_no_engine_is_started_with_a_time_to_shut_down() -> None:
    for version, given in (("0.17.1", False), ("0.18.0", True)):
        engine = EngineSettings(image=ENGINE.image, version=version)
        args = engine_args(LAYOUT, SMALL_3, "a", REPOSITORY, engine)
        assert any(word.startswith("--shutdown-timeout=") for word in args) == given


# -- Pod Security ---------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [ENGINE, EVERYTHING_SET])
def test_the_pod_is_restricted(engine: EngineSettings) -> None:
    assert violations(pod(engine)) == []


@pytest.mark.parametrize(
    ("pod_change", "container_change"),
    [
        ({"hostNetwork": True}, {}),
        ({"securityContext": {}}, {}),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, {}),
        ({}, {"securityContext": {}}),
        ({}, {"ports": [{"containerPort": 1, "hostPort": 1}]}),
        ({}, {"livenessProbe": {"httpGet": {"host": "192.0.2.1"}}}),
    ],
)
def test_the_checker_finds_what_is_not(pod_change: Json, container_change: Json) -> None:
    spec = pod()
    changed = {**spec, "containers": [{**spec["containers"][0], **container_change}], **pod_change}
    assert violations(changed)


def test_no_token_no_service_variables_and_only_emptydirs_are_writable() -> None:
    spec, engine = pod(), container()
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert engine["securityContext"]["readOnlyRootFilesystem"] is True
    kinds = {one["name"]: set(one) - {"name"} for one in spec["volumes"]}
    writable = {one["name"] for one in engine["volumeMounts"] if not one.get("readOnly")}
    assert {kind for name in writable for kind in kinds[name]} == {"emptyDir"}
    assert {one["mountPath"] for one in engine["volumeMounts"]} >= {"/dev/shm"}  # noqa: S108 - the pod's


# -- flags ----------------------------------------------------------------------------------------


def test_every_flag_is_explicit() -> None:
    assert container()["args"] == [
        "/models/weights",
        "--host=0.0.0.0",
        "--port=8000",
        "--served-model-name",
        "assistant",
        REPOSITORY,
        "--tensor-parallel-size=2",
        "--pipeline-parallel-size=1",
        "--max-model-len=32768",
        "--max-num-seqs=32",
        "--max-num-batched-tokens=8192",
        "--gpu-memory-utilization=0.92",
        "--tokenizer-mode=mistral",
        "--config-format=mistral",
        "--load-format=mistral",
        "--shutdown-timeout=932",
        "--middleware=escadre_drain.Drain",
    ]


def test_stages_are_a_flag_and_all_their_gpus_are_asked_for() -> None:
    staged = LAYOUT.model_copy(update={"gpus": 4, "pipeline_parallel_size": 2})
    (engine,) = pod(layout=staged)["containers"]
    assert {"--tensor-parallel-size=2", "--pipeline-parallel-size=2"} <= set(engine["args"])
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "4"


@pytest.mark.parametrize(
    ("format_", "tokenizer", "flags"),
    [
        ("mistral", "mistral", ("mistral", "mistral", "mistral")),
        ("huggingface", "huggingface", ("auto", "auto", "safetensors")),
        ("huggingface", "mistral", ("mistral", "auto", "safetensors")),
    ],
)
def test_formats_follow_the_files(format_: str, tokenizer: str, flags: tuple[str, ...]) -> None:
    model = SMALL_3.model_copy(update={"format": format_, "tokenizer": tokenizer})
    args = engine_args(LAYOUT, model, "a", REPOSITORY, ENGINE)
    for name, value in zip(("tokenizer-mode", "config-format", "load-format"), flags, strict=True):
        assert f"--{name}={value}" in args


@pytest.mark.parametrize("text_only", [None, False, True])
def test_an_encoder_is_left_out_where_the_layout_says_it(text_only: bool | None) -> None:
    layout = LAYOUT.model_copy(update={"text_only": text_only})
    args = engine_args(layout, SMALL_3, "a", REPOSITORY, ENGINE)
    assert ("--language-model-only" in args) == bool(text_only)


@pytest.mark.parametrize(("percent", "text"), [(50, "0.50"), (9, "0.09"), (98, "0.98")])
def test_memory_utilization_is_a_fraction(percent: int, text: str) -> None:
    layout = LAYOUT.model_copy(update={"gpu_memory_utilization_percent": percent})
    args = engine_args(layout, SMALL_3, "a", REPOSITORY, ENGINE)
    assert f"--gpu-memory-utilization={text}" in args


def test_platform_flags_come_last_and_nobody_trusts_remote_code() -> None:
    args = container(EVERYTHING_SET)["args"]
    assert args[-1] == "--enable-prefix-caching"
    assert not any("trust" in one for one in args)


def test_offline_whatever_the_platform_sets() -> None:
    env = {one["name"]: one["value"] for one in container(EVERYTHING_SET)["env"]}
    assert env["NCCL_DEBUG"] == "WARN"
    assert (env["HF_HUB_OFFLINE"], env["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    assert (env["VLLM_NO_USAGE_STATS"], env["DO_NOT_TRACK"]) == ("1", "1")
    assert all(isinstance(value, str) for value in env.values())


def _mounted(template: Json) -> dict[str, Json]:
    """The platform's own files by name."""
    volume = next(one for one in template["spec"]["volumes"] if one["name"] == "platform")
    return {one["path"]: one for one in volume["downwardAPI"]["items"]}


@pytest.mark.parametrize(
    ("chosen", "path"), [({}, "/etc/escadre"), ({"PYTHONPATH": "/opt/a"}, "/etc/escadre:/opt/a")]
)
def test_what_it_needs_to_leave_well_is_mounted_and_found(
    chosen: dict[str, str], path: str
) -> None:
    template = replica_of(engine=EngineSettings(image=ENGINE.image, env=chosen))["spec"]["template"]
    (engine,), items = template["spec"]["containers"], _mounted(template)
    module, _, name = next(
        word.removeprefix("--middleware=") for word in engine["args"] if "--middleware" in word
    ).partition(".")
    assert hasattr(escadre_drain, name)
    source = items[f"{module}.py"]["fieldRef"]["fieldPath"].split("'")[1]
    assert template["metadata"]["annotations"][source] == MIDDLEWARE
    assert {"name": "PYTHONPATH", "value": path} in engine["env"]
    label = items[escadre_drain.LABEL.name]["fieldRef"]["fieldPath"]
    assert label == f"metadata.labels['{LABEL_SERVING}']"
    assert template["metadata"]["labels"][LABEL_SERVING] == "true"


def test_a_failed_start_explains_itself() -> None:
    template = replica_of()["spec"]["template"]
    item = _mounted(template)["logging.json"]
    annotation = item["fieldRef"]["fieldPath"].split("'")[1]
    config = json.loads(template["metadata"]["annotations"][annotation])
    assert config == json.loads(LOGGING_CONFIG)
    handler = config["handlers"]["termination"]
    assert (handler["filename"], handler["level"]) == ("/dev/termination-log", "ERROR")
    assert "termination" in config["loggers"]["vllm"]["handlers"]
    engine = container()
    assert engine["terminationMessagePath"] == "/dev/termination-log"
    mount = next(one for one in engine["volumeMounts"] if one["name"] == "platform")
    path = next(one["value"] for one in engine["env"] if one["name"] == "VLLM_LOGGING_CONFIG_PATH")
    assert path == f"{mount['mountPath']}/{item['path']}"


# -- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", [ENGINE, EVERYTHING_SET])
def test_an_engine_may_finish_its_requests_before_it_is_killed(engine: EngineSettings) -> None:
    seconds = drain_seconds(engine.drain_seconds, LAYOUT, SMALL_3)
    *program, port, waits = container(engine)["lifecycle"]["preStop"]["exec"]["command"]
    assert (program, port) == (["python3", "/etc/escadre/escadre_drain.py"], str(SERVING_PORT))
    assert int(waits) > seconds
    assert f"--shutdown-timeout={seconds}" in container(engine)["args"]
    assert int(waits) < pod(engine)["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("model", EVERY_MODEL)
def test_the_startup_budget_follows_the_weights(model: Any) -> None:
    probe = pod(model=model)["containers"][0]["startupProbe"]
    budget = probe["failureThreshold"] * probe["periodSeconds"]
    assert budget >= startup_seconds(model, ENGINE)
    assert budget >= 300 + model.weight_bytes / 200_000_000


# -- where it may run -----------------------------------------------------------------------------


def test_it_is_pinned_to_product_and_weights_and_prefers_its_node() -> None:
    affinity = pod()["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    named_by = ("nvidia.com/gpu.product", "escadre.node-restriction.kubernetes.io/gpu-product")
    assert [{one["key"]: one["values"] for one in term["matchExpressions"]} for term in terms] == [
        {node_weights_label(DIGEST): ["verified"], label: [LAYOUT.product]} for label in named_by
    ]
    (preferred,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["preference"]["matchFields"][0]["values"] == ["gpu-0"]
    assert (
        "preferredDuringSchedulingIgnoredDuringExecution"
        not in (pod(node=None)["affinity"]["nodeAffinity"])
    )


def test_gpus_are_asked_for_whole() -> None:
    assert container()["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_what_the_platform_sets() -> None:
    spec = pod(EVERYTHING_SET)
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["nodeSelector"] == {"pool": "gpu"}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert not {"runtimeClassName", "nodeSelector", "tolerations"} & set(pod())


# -- selectors ------------------------------------------------------------------------------------


def test_draining_is_seen_by_the_service_and_by_nobody_else() -> None:
    made = children()
    selectors = {
        "Deployment": made["Deployment"]["spec"]["selector"]["matchLabels"],
        "PodDisruptionBudget": made["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        "Service": made["Service"]["spec"]["selector"],
    }
    pod_labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert [kind for kind, one in selectors.items() if LABEL_SERVING in one] == ["Service"]
    for kind, selector in selectors.items():
        assert selector.items() <= pod_labels.items(), kind
    drained = {key: value for key, value in pod_labels.items() if key != LABEL_SERVING}
    assert not selectors.pop("Service").items() <= drained.items()
    assert all(one.items() <= drained.items() for one in selectors.values())


def test_a_workload_selects_its_own_slot_only() -> None:
    one, other = (replica_of(slot=slot) for slot in (1, 11))
    labels = other["spec"]["template"]["metadata"]["labels"]
    assert not one["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert one["spec"]["selector"]["matchLabels"][LABEL_SLOT] == "1"


def test_a_service_does_not_select_the_pods_of_a_neighbour() -> None:
    neighbour = replica_of(Owner(OWNER.namespace, f"{OWNER.name}-2", "other"))
    labels = neighbour["spec"]["template"]["metadata"]["labels"]
    assert not children()["Service"]["spec"]["selector"].items() <= labels.items()


# -- the workload object --------------------------------------------------------------------------


def test_one_replica_that_needs_no_spare_gpu() -> None:
    spec = replica_of()["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


@pytest.mark.parametrize(
    ("drain", "text"), [(None, None), (Drain("Rollout", 1), '{"cause": "Rollout", "since": 1}')]
)
def test_a_drain_is_an_annotation_outside_the_template(
    drain: Drain | None, text: str | None
) -> None:
    drained = replica_of(drain=drain)
    assert drained["metadata"]["annotations"].get(ANNOTATION_DRAIN) == text
    assert drained["spec"]["template"] == replica_of()["spec"]["template"]


def test_the_template_is_read_back_from_its_annotation() -> None:
    made = replica_of()
    notes = made["metadata"]["annotations"]
    assert recorded_template(notes) == made["spec"]["template"]
    for damaged in (
        {},
        {**notes, ANNOTATION_TEMPLATE: notes[ANNOTATION_TEMPLATE].replace("8192", "8193")},
        {**notes, ANNOTATION_TEMPLATE: ""},
    ):
        assert recorded_template(damaged) is None


# -- around it ------------------------------------------------------------------------------------


def test_nothing_leaves_an_engine_and_only_the_serving_port_is_reached() -> None:
    spec = children()["NetworkPolicy"]["spec"]
    assert (spec["policyTypes"], spec["egress"]) == (["Ingress", "Egress"], [])
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"port": SERVING_PORT, "protocol": "TCP"}]
    assert rule["from"] == [
        {"podSelector": {}},
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "escadre-system"}},
            "podSelector": {"matchLabels": {"escadre.dev/component": "operator"}},
        },
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}},
    ]


def test_weights_are_read_only_three_times() -> None:
    made = children()
    assert made["PersistentVolume"]["spec"]["mountOptions"] == ["ro"]
    claim = next(one for one in pod()["volumes"] if one["name"] == "weights")
    assert claim["persistentVolumeClaim"]["readOnly"] is True
    mount = next(one for one in container()["volumeMounts"] if one["name"] == "weights")
    assert mount["readOnly"] is True


def test_the_volume_waits_for_verified_weights_and_for_its_own_claim() -> None:
    made = children()
    spec, claim = made["PersistentVolume"]["spec"], made["PersistentVolumeClaim"]
    (term,) = spec["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": node_weights_label(DIGEST), "operator": "In", "values": ["verified"]}
    ]
    assert spec["persistentVolumeReclaimPolicy"] == "Retain"
    assert spec["claimRef"]["name"] == claim["metadata"]["name"]
    assert spec["claimRef"]["namespace"] == claim["metadata"]["namespace"]
    assert claim["spec"]["volumeName"] == made["PersistentVolume"]["metadata"]["name"]
    assert spec["accessModes"] == claim["spec"]["accessModes"]
    assert (
        claim["metadata"]["name"]
        == (
            next(one for one in pod()["volumes"] if one["name"] == "weights")[
                "persistentVolumeClaim"
            ]["claimName"]
        )
    )


def test_an_eviction_takes_one_replica_and_one_that_is_not_ready_always() -> None:
    spec = children()["PodDisruptionBudget"]["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


@pytest.mark.parametrize("kind", [kind for kind in children() if kind != "PersistentVolume"])
def test_children_in_the_namespace_are_owned(kind: str) -> None:
    (owner,) = children()[kind]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (
        "ModelDeployment",
        "assistant",
        OWNER.uid,
    )
    assert owner["controller"] is True


def test_the_volume_carries_its_owner() -> None:
    labels = children()["PersistentVolume"]["metadata"]["labels"]
    assert {"ia-pour-tous", "assistant", OWNER.uid} <= set(labels.values())
