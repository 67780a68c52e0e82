"""Children edited, deleted or taken by hand: put right, healed, or left alone and named."""

import json
from typing import Any

import pytest

from e2e.cases.faulting import (
    clear,
    engine_pods,
    no_internal_errors,
    ready,
    ready_pod,
    restarts,
    why,
)
from e2e.cluster.pods import is_ready
from e2e.cluster.wait import wait_for
from e2e.stage.stage import TEAM, Json, Stage

pytestmark = pytest.mark.cluster

MERGE = ("--type=merge", "-p")


def _patch(stage: Stage, kind: str, name: str, patch: Json) -> None:
    stage.cluster.kubectl("patch", kind, name, "-n", TEAM, *MERGE, json.dumps(patch))


def test_hand_edits_are_put_right_and_told(stage: Stage) -> None:
    stage.deploy("edited", "base")
    ready(stage, "edited")
    cluster = stage.cluster
    intended = {
        kind: cluster.get(kind, name, TEAM)["spec"]
        for kind, name in (
            ("service", "edited"),
            ("networkpolicy", "edited"),
            ("pdb", "edited"),
            ("deployment", "edited-0"),
        )
    }
    container = intended["deployment"]["template"]["spec"]["containers"][0]
    spoiled: Json = {**container, "args": [*container["args"], "--enforce-eager"]}
    spoiled["env"] = [*container["env"], {"name": "HAND", "value": "edit"}]
    _patch(stage, "service", "edited", {"spec": {"selector": {"hand": "edit"}}})
    _patch(stage, "networkpolicy", "edited", {"spec": {"egress": [{}]}})
    cluster.kubectl("delete", "pdb", "edited", "-n", TEAM)
    template = {"template": {"spec": {"containers": [spoiled]}}}
    _patch(stage, "deployment", "edited-0", {"spec": template})
    for kind, spec in intended.items():
        name = "edited-0" if kind == "deployment" else "edited"
        _until(stage, kind, name, spec)
    # A pod of the spoiled template may have come, and leaves again.
    wait_for(
        lambda: _arguments(stage, "edited") == [container["args"]],
        90,
        "one ready engine with the intended arguments",
        lambda: _arguments(stage, "edited"),
    )
    ready(stage, "edited")
    told = {
        "Service edited was put right",
        "PodDisruptionBudget edited was gone; made again",
    }
    wait_for(lambda: told <= _mended(stage, "edited"), 30, f"the events {told}")
    clear(stage, "edited")


def _arguments(stage: Stage, name: str) -> list[list[str]]:
    """The arguments of each engine that stays; of one that is not ready none."""
    pods = engine_pods(stage, name)
    return [pod["spec"]["containers"][0]["args"] if is_ready(pod) else [] for pod in pods]


def _mended(stage: Stage, name: str) -> set[str]:
    """What events say was mended."""
    chosen = f"--field-selector=involvedObject.name={name},reason=ChildMended"
    return {one["message"] for one in stage.cluster.list("events", "-n", TEAM, chosen)}


def _until(stage: Stage, kind: str, name: str, spec: Json) -> None:
    wait_for(
        lambda: _same(stage.cluster.get(kind, name, TEAM)["spec"], spec),
        30,
        f"{kind} {name} to be as intended",
    )


def _same(live: Json, intended: Json) -> bool:
    assigned = ("clusterIP", "clusterIPs")  # anew, after a deletion
    return {k: v for k, v in live.items() if k not in assigned} == {
        k: v for k, v in intended.items() if k not in assigned
    }


def test_a_claim_deleted_in_use_is_made_anew_under_the_pod_that_serves(stage: Stage) -> None:
    stage.deploy("claimed", "base")
    ready(stage, "claimed")
    cluster = stage.cluster
    (pod,) = engine_pods(stage, "claimed")
    (claim,) = cluster.list("pvc", "-n", TEAM, "-l", "escadre.dev/deployment=claimed")
    name, volume = claim["metadata"]["name"], claim["spec"]["volumeName"]
    cluster.kubectl("delete", "pvc", name, "-n", TEAM, "--wait=false")
    cluster.kubectl("delete", "pv", volume, "--wait=false")

    def anew() -> bool:
        again = cluster.get("pvc", name, TEAM)
        other = again["metadata"]["uid"] != claim["metadata"]["uid"]
        return bool(other and again["status"]["phase"] == "Bound")

    wait_for(anew, 60, "the claim to be made anew and bound")
    # What serves was not touched, and the next pod finds the claim.
    (same,) = engine_pods(stage, "claimed")
    assert same["metadata"]["uid"] == pod["metadata"]["uid"]
    assert restarts(stage, same) == restarts(stage, pod) == 0
    assert stage.condition("claimed", "Ready")["status"] == "True"
    cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", TEAM, "--wait=false")
    ready_pod(stage, "claimed", other_than=pod["metadata"]["uid"], deadline=90)
    ready(stage, "claimed")
    clear(stage, "claimed")


def _foreign(kind: str, name: str) -> Json:
    labels = {"app": "foreign"}
    if kind == "Service":
        spec: Json = {"selector": labels, "ports": [{"port": 80}]}
        return _object("v1", kind, name, spec)
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "escadre.test/fake"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", kind, name, spec)


def _object(version: str, kind: str, name: str, spec: Json) -> Json:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": TEAM},
        "spec": spec,
    }


@pytest.mark.parametrize(("kind", "child"), [("Service", "fronted"), ("Deployment", "taken-0")])
def test_a_name_that_is_taken_is_named_and_left_alone(stage: Stage, kind: str, child: str) -> None:
    cluster = stage.cluster
    name = child.removesuffix("-0")
    cluster.apply(_foreign(kind, child))
    before = cluster.get(kind, child, TEAM)
    stage.deploy(name, "base")
    found = stage.wait_condition(name, "Ready", "NameTaken")
    for words in (f"{kind} {TEAM}/{child} exists since", "is not escadre's", "was left alone"):
        assert words in found["message"]
    assert f"{kind} {TEAM}/{child}" in why(stage, name)
    assert _told(cluster.get(kind, child, TEAM)) == _told(before)
    cluster.kubectl("delete", kind, child, "-n", TEAM)
    stage.deploy(name, "base", scaling={"minReplicas": 1, "maxReplicas": 2})  # looks again
    ready(stage, name)
    clear(stage, name)


def _told(one: Json) -> tuple[Any, ...]:
    return one["metadata"]["uid"], one["metadata"].get("labels"), one["spec"]


def test_a_namespace_that_ends_is_left_in_peace(stage: Stage) -> None:
    name = "leaving"
    cluster = stage.cluster
    stage.team(name)
    stage.publish("leaving", seed=5)
    stage.approve("leaving", namespace=name)
    # Without its weights the pod waits: what is being deleted here has no grace to wait for.
    stage.stop_mirror()
    try:
        stage.deploy("leaver", "leaving", namespace=name)
        volumes = ("pv", "-l", f"escadre.dev/owner-namespace={name}")
        wait_for(lambda: cluster.list(*volumes), 30, "the volume of leaver")
    finally:
        stage.start_mirror()
    # Something in it refuses to go, so that it stays Terminating while its objects vanish.
    holdout: Json = {"name": "holdout", "namespace": name, "finalizers": ["escadre.test/hold"]}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": holdout})
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    kinds = "mdep,deployments,services,pvc,pods,pdb,networkpolicies"
    wait_for(
        lambda: (
            not cluster.list(kinds, "-n", name)
            and not cluster.list("pv", "-l", f"escadre.dev/owner-namespace={name}")
        ),
        60,
        "everything in the namespace, and its volumes, to be gone",
    )
    release = json.dumps({"metadata": {"finalizers": None}})
    cluster.kubectl("patch", "cm", "holdout", "-n", name, *MERGE, release)
    cluster.kubectl("delete", "mapp", "leaving")
    no_internal_errors(stage)
