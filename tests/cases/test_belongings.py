"""In a cluster full of other deployments, only writes to one's own belongings are one's own."""

import json
from typing import Any

import pytest
from e2e.cases.belongings import Belongings
from e2e.cluster.audit import AGENT, OPERATOR, Entry
from e2e.stage.stage import TEAM

MINE, OTHERS = "escadre.node-restriction/mine", "escadre.node-restriction/others"
LIFE = Belongings(
    name="life",
    pods={},
    nodes=frozenset({"gpu-0"}),
    label=MINE,
    held=frozenset({"gpu-0"}),
    volumes="escadre-0123",
)


def write(resource: str, name: str, **more: Any) -> Entry:
    labels = more.pop("labels", None)
    body = {"metadata": {"labels": labels}} if labels is not None else None
    given: dict[str, Any] = {
        "user": OPERATOR,
        "pod": "escadre-operator-1",
        "verb": "patch",
        "group": "",
        "resource": resource.partition("/")[0],
        "subresource": resource.partition("/")[2],
        "namespace": "",
        "name": name,
        "code": 200,
        "unauthorised": False,
        "received": 0.0,
        "done": 0.0,
        "body": json.dumps(body),
    }
    return Entry(**(given | more))


@pytest.mark.parametrize(
    "one",
    [
        write("nodes", "gpu-0", labels={MINE: None}),
        write("nodes", "gpu-0", labels={OTHERS: None, MINE: "verified"}),
        write("deployments", "life-0", namespace=TEAM),
        write("deployments", "life-7", namespace=TEAM, verb="create"),
        write("services", "life", namespace=TEAM),
        write("pods", "", namespace=TEAM, verb="deletecollection"),
        write("persistentvolumes", "escadre-0123-ab", verb="delete"),
    ],
    ids=[
        "its weights' label goes",
        "its label comes with another",
        "a replica",
        "a replica more",
        "its Service",
        "all pods of the team",
        "its volume",
    ],
)
def test_a_write_to_its_own_is_noticed(one: Entry) -> None:
    assert LIFE.is_touched_by(one)


@pytest.mark.parametrize(
    "one",
    [
        write("nodes", "gpu-0", labels={OTHERS: None}),
        write("nodes", "gpu-1", labels={OTHERS: None, MINE: "verified"}),
        write("persistentvolumes", "escadre-4567-ab", verb="delete"),
        write("persistentvolumeclaims", "lifeless-0", namespace=TEAM, verb="delete"),
        write("deployments", "life-0", namespace="elsewhere"),
        write("modeldeployments/status", "life", namespace=TEAM),
        write("deployments", "life-0", namespace=TEAM, verb="get"),
        write("gpunodes", "gpu-0", user=AGENT),
        write("gpunodes", "gpu-0"),
        write("modelapprovals/status", "base"),
    ],
    ids=[
        "other weights leave its node",
        "its weights come to a node where it does not run, with others",
        "a volume of another",
        "a claim of another with a like name",
        "a namesake in another namespace",
        "its status",
        "a look",
        "an agent's word",
        "what a node shall pull",
        "an approval's status",
    ],
)
def test_what_others_cause_is_not(one: Entry) -> None:
    assert not LIFE.is_touched_by(one)
