"""The object of a replica: what it owes whoever writes, watches and counts replicas."""

import pytest
from tests.fakes.kube import FakeServer
from tests.render.objects import OWNER, replica_of

from escadre.clients.kube import resource_of
from escadre.names import LABEL_SLOT, replica_name
from escadre.render.workload import WORKLOAD
from escadre.state.caches import Caches


def test_it_is_of_the_kind_that_the_caches_keep_and_the_steps_name() -> None:
    made = replica_of(slot=3)
    caches = Caches(FakeServer().client(), "escadre-system")
    assert made["kind"] == WORKLOAD.kind
    assert caches.replicas.resource == resource_of(made)
    assert caches.of_kind(WORKLOAD.kind) is caches.replicas


def test_its_name_and_the_labels_of_its_pods_say_which_replica_it_is() -> None:
    made = replica_of(slot=3)
    template = made["spec"]["template"]
    assert made["metadata"]["name"] == replica_name(OWNER.name, 3)
    assert template["metadata"]["labels"][LABEL_SLOT] == "3"
    chosen = made["spec"]["selector"]["matchLabels"]
    assert chosen.items() <= template["metadata"]["labels"].items()


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        pytest.param(None, "", id="nothing-told-yet"),
        pytest.param([{"type": "Available", "status": "True"}], "", id="well"),
        pytest.param(
            [{"type": "ReplicaFailure", "status": "True", "message": "quota", "reason": "x"}],
            "quota",
            id="refused",
        ),
        pytest.param(
            [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}],
            "FailedCreate",
            id="refused-without-words",
        ),
        pytest.param(
            [{"type": "ReplicaFailure", "status": "False", "message": "old"}], "", id="over"
        ),
    ],
)
def test_why_no_pod_is_made_of_it(conditions: list[dict[str, str]] | None, words: str) -> None:
    assert WORKLOAD.refused({"conditions": conditions}) == words


def test_a_pod_is_its_by_its_controller() -> None:
    assert WORKLOAD.has_pod("chat-1", "chat-1-7d9f")
    assert not WORKLOAD.has_pod("chat-1", "chat-11-7d9f")
    assert not WORKLOAD.has_pod("chat-1", "chat-1")
    assert not WORKLOAD.has_pod("chat-1", "")
