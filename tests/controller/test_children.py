"""controller/children.py against the fake API server: nothing foreign touched, nothing left."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.fakes.kube import FakeApi, FakeServer
from tests.render.objects import DIGEST, OWNER, children, replica_of

from escadre import reasons
from escadre.clients.kube import (
    DEPLOYMENTS,
    NAMESPACES,
    PERSISTENT_VOLUMES,
    SERVICES,
    Forbidden,
    Resource,
    resource_of,
)
from escadre.controller.children import Applier
from escadre.errors import Retryable
from escadre.machinery.compact import Compact
from escadre.machinery.informer import Informer
from escadre.names import ANNOTATION_NODE, LABEL_MANAGED_BY
from escadre.render.labels import Owner
from escadre.render.service import service
from escadre.render.volume import volume
from escadre.settings import EngineSettings
from escadre.state.caches import Caches

Json = dict[str, Any]
KINDS = sorted(children())


@dataclass
class Bench:
    """One pass over one child at a time."""

    server: FakeServer
    api: FakeApi
    caches: Caches

    def cache(self, intent: Json) -> Informer[Compact]:
        kind = intent["kind"]
        return self.caches.volumes if kind == "PersistentVolume" else self.caches.children[kind]

    async def apply(self, intent: Json, *, look: bool = True) -> tuple[bool, Applier]:
        cache = self.cache(intent)
        if look:
            await cache.refresh()
        applier = Applier(self.api, OWNER.uid)
        return await applier.apply(intent, cache), applier

    def live(self, intent: Json) -> Json:
        meta = intent["metadata"]
        found = self.server.get(resource_of(intent), meta["name"], meta.get("namespace", ""))
        assert found is not None
        return found

    def by_hand(self, intent: Json, change: Callable[[Json], Any]) -> None:
        live = self.live(intent)
        change(live)
        self.server.put(resource_of(intent), live)

    @property
    def verbs(self) -> list[str]:
        return [one.verb for one in self.api.writes]


@pytest.fixture
def bench() -> Bench:
    server = FakeServer()
    server.put(NAMESPACES, {"metadata": {"name": OWNER.namespace}})
    api = server.client()
    return Bench(server, api, Caches(api, "escadre-system"))


# -- ours -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_is_made_once_and_then_left_alone(bench: Bench, kind: str) -> None:
    intent = children()[kind]
    done, applier = await bench.apply(intent)
    assert done
    assert applier.changed == [("created", kind, intent["metadata"]["name"])]
    before = bench.server.version
    done, applier = await bench.apply(intent)
    assert (done, applier.changed, applier.problems) == (True, [], [])
    assert len(bench.verbs) == 1, "no second request, not even one that changes nothing"
    assert bench.server.version == before


@pytest.mark.parametrize("kind", KINDS)
async def test_a_deleted_child_is_made_again(bench: Bench, kind: str) -> None:
    intent = children()[kind]
    await bench.apply(intent)
    live = bench.live(intent)
    live["metadata"].pop("finalizers", None)
    bench.server.put(resource_of(intent), live)
    bench.server.remove(
        resource_of(intent), intent["metadata"]["name"], intent["metadata"].get("namespace", "")
    )
    _, applier = await bench.apply(intent)
    assert applier.changed == [("created", kind, intent["metadata"]["name"])]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_child_stripped_of_its_label_is_mended(bench: Bench, kind: str) -> None:
    """Without the label it is not in the caches any more: found again by its owner reference."""
    intent = children()[kind]
    await bench.apply(intent)
    bench.by_hand(intent, lambda live: live["metadata"]["labels"].pop(LABEL_MANAGED_BY))
    done, applier = await bench.apply(intent)
    assert done
    assert applier.changed == [("mended", kind, intent["metadata"]["name"])]
    assert LABEL_MANAGED_BY in bench.live(intent)["metadata"]["labels"]


async def test_a_cache_that_lags_makes_no_second_child(bench: Bench) -> None:
    intent = children()["Service"]
    await bench.apply(intent)
    uid = bench.live(intent)["metadata"]["uid"]
    bench.caches = Caches(bench.api, "escadre-system")
    done, applier = await bench.apply(intent, look=False)
    assert (done, applier.problems) == (True, [])
    assert bench.live(intent)["metadata"]["uid"] == uid


def container(live: Json) -> Json:
    found: Json = live["spec"]["template"]["spec"]["containers"][0]
    return found


def pod(live: Json) -> Json:
    found: Json = live["spec"]["template"]["spec"]
    return found


HANDS: dict[str, tuple[str, Callable[[Json], Any]]] = {
    "argument": ("Deployment", lambda live: container(live)["args"].append("--max-model-len=9")),
    "environment": (
        "Deployment",
        lambda live: container(live)["env"].append({"name": "LD_PRELOAD", "value": "/x"}),
    ),
    "variable twice": (
        "Deployment",
        lambda live: container(live)["env"].append({"name": "HF_HUB_OFFLINE", "value": "0"}),
    ),
    "container": (
        "Deployment",
        lambda live: pod(live)["containers"].append({"name": "miner", "image": "x"}),
    ),
    "volume": (
        "Deployment",
        lambda live: pod(live)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    "another source": (
        "Deployment",
        lambda live: pod(live)["volumes"].__setitem__(0, {"name": "weights", "emptyDir": {}}),
    ),
    "second mount": (
        "Deployment",
        lambda live: container(live)["volumeMounts"].append({"name": "cache", "mountPath": "/x"}),
    ),
    "command": ("Deployment", lambda live: container(live).update(command=["sleep"])),
    "replicas": ("Deployment", lambda live: live["spec"].update(replicas=0)),
    "pause": ("Deployment", lambda live: live["spec"].update(paused=True)),
    "strategy": (
        "Deployment",
        lambda live: live["spec"].update(
            strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
        ),
    ),
    "annotation": ("Deployment", lambda live: live["metadata"]["annotations"].clear()),
    "owner": ("PersistentVolume", lambda live: live["spec"].update(mountOptions=["rw"])),
    "selector": ("Service", lambda live: live["spec"]["selector"].update(more="x")),
    "port": ("Service", lambda live: live["spec"]["ports"][0].update(targetPort=22)),
    "way out": ("NetworkPolicy", lambda live: live["spec"].update(egress=[{}])),
    "way in": ("NetworkPolicy", lambda live: live["spec"]["ingress"].append({})),
    "budget": ("PodDisruptionBudget", lambda live: live["spec"].update(maxUnavailable=5)),
}


@pytest.mark.parametrize(("kind", "hand"), HANDS.values(), ids=HANDS)
async def test_a_hand_edit_is_mended(bench: Bench, kind: str, hand: Callable[[Json], Any]) -> None:
    intent = children()[kind]
    await bench.apply(intent)
    before = bench.live(intent)
    bench.by_hand(intent, hand)
    done, applier = await bench.apply(intent)
    assert done
    assert applier.changed == [("mended", kind, intent["metadata"]["name"])]
    assert bench.live(intent)["spec"] == before["spec"]
    writes = len(bench.verbs)
    await bench.apply(intent)
    assert len(bench.verbs) == writes, "mended for good"


async def test_a_replica_that_another_node_is_planned_for_is_not_one_put_right(
    bench: Bench,
) -> None:
    intent = children()["Deployment"]
    await bench.apply(intent)
    meta = intent["metadata"]
    notes = {**meta["annotations"], ANNOTATION_NODE: "elsewhere"}
    done, applier = await bench.apply({**intent, "metadata": {**meta, "annotations": notes}})
    assert done
    assert applier.changed == [("replanned", "Deployment", meta["name"])]
    assert bench.live(intent)["metadata"]["annotations"][ANNOTATION_NODE] == "elsewhere"


async def test_an_edited_template_changes_once(bench: Bench) -> None:
    # Each change of the template restarts the engine.
    intent = children()["Deployment"]
    await bench.apply(intent)
    bench.by_hand(intent, HANDS["argument"][1])
    bench.by_hand(intent, HANDS["environment"][1])
    generation = bench.live(intent)["metadata"]["generation"]
    await bench.apply(intent)
    assert bench.live(intent)["metadata"]["generation"] == generation + 1


async def test_quantities_are_no_reason_to_write(bench: Bench) -> None:
    # For two GPUs, and the API server stores 32768Mi as 32Gi.
    intent = replica_of(engine=EngineSettings(image=image(), memory="16384Mi", cpu="4000m"))
    await bench.apply(intent)

    def canonical(live: Json) -> None:
        container(live)["resources"]["requests"] |= {"memory": "32Gi", "cpu": "4"}
        container(live)["resources"]["limits"]["memory"] = "32Gi"

    bench.by_hand(intent, canonical)
    _, applier = await bench.apply(intent)
    assert applier.changed == []


def image() -> str:
    return "registry.example/vllm@sha256:" + "e" * 64


async def test_a_child_that_is_being_deleted_is_waited_for(bench: Bench) -> None:
    intent = children()["PersistentVolume"]
    await bench.apply(intent)
    bound = {"status": {"phase": "Bound"}}
    bench.by_hand(intent, lambda live: live.update(bound))
    bench.by_hand(intent, lambda live: live["metadata"].update(finalizers=["x"]))
    bench.server.remove(PERSISTENT_VOLUMES, intent["metadata"]["name"])
    writes = len(bench.verbs)
    for look in (True, False):
        if not look:  # and also when the cache does not know of it
            bench.caches = Caches(bench.api, "escadre-system")
        done, applier = await bench.apply(intent, look=look)
        assert (done, applier.changed, applier.problems) == (False, [], [])
    assert set(bench.verbs[writes:]) <= {"apply"}
    assert bench.live(intent)["metadata"]["deletionTimestamp"]


async def test_the_volume_is_given_the_uid_of_its_new_claim(bench: Bench) -> None:
    await bench.apply(volume(OWNER, DIGEST, None))
    tied = volume(OWNER, DIGEST, "uid-2")
    bench.by_hand(tied, lambda live: live["spec"]["claimRef"].update(uid="uid-1"))
    _, applier = await bench.apply(tied)
    assert applier.changed
    assert bench.live(tied)["spec"]["claimRef"]["uid"] == "uid-2"


# -- not ours -------------------------------------------------------------------------------------


def foreign(intent: Json, **meta: Any) -> Json:
    """Somebody else's object of the same name."""
    name = {k: v for k, v in intent["metadata"].items() if k in {"name", "namespace"}}
    return {"metadata": {**name, **meta}, "spec": {"selector": {"app": "theirs"}}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "labels", [{}, {LABEL_MANAGED_BY: "escadre"}], ids=["unseen", "with-our-label"]
)
async def test_a_foreign_object_is_never_touched(
    bench: Bench, kind: str, labels: dict[str, str]
) -> None:
    intent = children()[kind]
    resource = resource_of(intent)
    theirs = bench.server.put(resource, foreign(intent, labels=labels))
    done, applier = await bench.apply(intent)
    assert not done
    assert bench.live(intent) == theirs
    (problem,) = applier.problems
    assert problem.reason == reasons.NAME_TAKEN
    assert resource.describe(intent["metadata"].get("namespace"), theirs["metadata"]["name"]) in (
        problem.message
    )
    assert theirs["metadata"]["creationTimestamp"] in problem.message
    assert "ModelDeployment" in problem.message
    assert "None" not in problem.message


async def test_a_child_of_an_earlier_owner_of_the_name_is_waited_for(bench: Bench) -> None:
    earlier = service(Owner(OWNER.namespace, OWNER.name, "uid-of-yesterday"))
    bench.server.put(SERVICES, earlier)
    with pytest.raises(Retryable) as caught:
        await bench.apply(children()["Service"])
    assert caught.value.delay
    assert bench.live(earlier)["metadata"]["ownerReferences"][0]["uid"] == "uid-of-yesterday"


async def test_an_owner_reference_that_does_not_control_makes_it_not_ours(bench: Bench) -> None:
    intent = children()["Service"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": OWNER.uid}
    bench.server.put(SERVICES, foreign(intent, ownerReferences=[reference]))
    _, applier = await bench.apply(intent)
    assert [one.reason.name for one in applier.problems] == ["NameTaken"]


# -- what the API server refuses ------------------------------------------------------------------


def refusal(message: str) -> Callable[[], Forbidden]:
    return lambda: Forbidden(
        method="apply", object="x", status=403, reason="Forbidden", message=message
    )


async def test_a_quota_is_told_in_its_own_words(bench: Bench) -> None:
    bench.api.refuse("apply", "Deployment", refusal("exceeded quota: gpus, used: 8, limited: 8"))
    done, applier = await bench.apply(children()["Deployment"])
    assert not done
    (problem,) = applier.problems
    assert problem.reason == reasons.WRITE_REFUSED
    assert "exceeded quota: gpus, used: 8, limited: 8" in problem.message
    assert "Deployment assistant-0" in problem.message


async def test_a_long_refusal_is_cut(bench: Bench) -> None:
    bench.api.refuse("apply", "Service", refusal("x" * 5000))
    _, applier = await bench.apply(children()["Service"])
    assert len(applier.problems[0].message) <= 1024


async def test_a_namespace_that_is_being_deleted_takes_no_new_children(bench: Bench) -> None:
    bench.server.terminate_namespace(OWNER.namespace)
    done, applier = await bench.apply(children()["Service"])
    assert not done
    assert [one.reason.name for one in applier.problems] == ["NamespaceTerminating"]


async def test_an_immutable_field_is_told(bench: Bench) -> None:
    intent = children()["Deployment"]
    await bench.apply(intent)
    other = copy.deepcopy(intent)
    other["spec"]["selector"]["matchLabels"]["more"] = "x"
    done, applier = await bench.apply(other)
    assert not done
    assert [one.reason.name for one in applier.problems] == ["WriteRefused"]
    assert "immutable" in applier.problems[0].message


async def test_an_object_of_another_uid_is_not_taken_for_ours(bench: Bench) -> None:
    """Deleted and made anew by somebody else since the cache saw it: the uid protects theirs."""
    intent = children()["Service"]
    await bench.apply(intent)
    bench.server.remove(SERVICES, intent["metadata"]["name"], OWNER.namespace)
    theirs = bench.server.put(SERVICES, foreign(intent))
    changed = copy.deepcopy(intent)
    changed["spec"]["ports"][0]["targetPort"] = 1
    await bench.apply(changed, look=False)
    assert bench.live(intent) == theirs


def test_every_child_has_a_cache() -> None:
    known: set[Resource] = {resource_of(one) for one in children().values()}
    assert DEPLOYMENTS in known
    assert len(known) == len(KINDS)
