"""api/wire.py: a status of another version, or a damaged one, is read as far as it goes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.layout import LAYOUT

from escadre.api.deployment import (
    LayoutStatus,
    ModelDeploymentStatus,
    ReplicasStatus,
    ReplicaStatus,
)
from escadre.api.gpunode import GPUNodeStatus
from escadre.api.kinds import KINDS
from escadre.api.wire import dump, read, unread

DIGEST = "sha256:" + "a" * 64
NOW = "2026-11-22T06:15:00Z"
Json = dict[str, Any]


def entry(**more: Any) -> Json:
    known = {"manifestDigest": DIGEST, "storeID": "s", "state": "Verified", "since": NOW}
    return {**known, **more}


def condition(**more: Any) -> Json:
    known = {"type": "Ready", "status": "True", "reason": "Ready", "message": ""}
    return {**known, "lastTransitionTime": NOW, **more}


def test_what_nobody_set_and_what_is_none_is_not_told() -> None:
    replica = ReplicaStatus(name="chat-0", state="Ready", current=True, digest=None, message="")
    replicas = ReplicasStatus(desired=1, ready=1, current=1, summary="1/1", items=[replica])
    status = ModelDeploymentStatus(url=None, plan=LayoutStatus.of(LAYOUT, 8, []), replicas=replicas)
    told = dump(status)
    assert told.keys() == {"plan", "replicas"}
    assert told["replicas"]["items"] == [
        {"name": "chat-0", "state": "Ready", "current": True, "message": ""}
    ]
    assert read(ModelDeploymentStatus, told) == status


@pytest.mark.parametrize("told", [None, {}, [], "x", 7, {"conditions": None}])
def test_nothing_told_is_an_empty_status(told: object) -> None:
    assert read(GPUNodeStatus, told) == GPUNodeStatus()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        pytest.param({"bootID": 7, "nodeUID": "n"}, {"nodeUID": "n"}, id="a field"),
        pytest.param({"bootID": "b", "holiday": {"x": []}}, {"bootID": "b"}, id="an unknown field"),
        pytest.param({"bootID": "b", "gpus": 7}, {"bootID": "b"}, id="a list that is none"),
        pytest.param(
            {"weights": [entry(), entry(state="Evicting"), entry(storeID="t")]},
            {"weights": [entry(), entry(storeID="t")]},
            id="an entry with an unknown word where one is needed",
        ),
        pytest.param(
            {"weights": [entry(bytesDone="many", mirror="-x-", etaSeconds=-1)]},
            {"weights": [entry()]},
            id="fields of an entry that it can do without",
        ),
        pytest.param(
            {"weights": [{}, 7, entry(), None, {"state": "Verified"}]},
            {"weights": [entry()]},
            id="several entries at once",
        ),
        pytest.param(
            {"conditions": [condition(status="Perhaps"), condition(type="StoreReady")]},
            {"conditions": [condition(type="StoreReady")]},
            id="a condition",
        ),
        pytest.param(
            {"store": {"capacityBytes": 1}, "bootID": "b"}, {"bootID": "b"}, id="a part of one"
        ),
    ],
)
def test_what_is_not_understood_counts_as_not_told(told: Json, kept: Json) -> None:
    before = repr(told)
    assert read(GPUNodeStatus, told) == GPUNodeStatus.model_validate(kept)
    assert repr(told) == before, "what was read stays as it is"


def test_what_is_not_understood_can_be_said() -> None:
    assert unread(GPUNodeStatus, {"weights": [entry(state="Evicting")]}).startswith(
        "weights[0].state: "
    )
    assert unread(GPUNodeStatus, {"weights": [entry()]}) == ""
    assert unread(GPUNodeStatus, None) == ""


STATUSES = [pytest.param(kind.status, id=kind.kind) for kind in KINDS if kind.status]
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just(NOW)
WORDS = st.sampled_from(
    ["conditions", "weights", "replicas", "items", "type", "status", "state", "plan", "gpus"]
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", STATUSES)
@given(told=ANYTHING)
def test_no_status_makes_an_object_unreadable(kind: Any, told: object) -> None:
    understood = read(kind, told)
    assert isinstance(understood, kind)
    assert read(kind, dump(understood)) == understood
