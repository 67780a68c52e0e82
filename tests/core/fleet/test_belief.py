"""core/fleet/belief.py: when an agent is believed, and which labels its node gets."""

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escadre import reasons
from escadre.api.gpunode import GPUNodeStatus
from escadre.core.facts.node import Unbelieved
from escadre.core.fleet.belief import AgentView, NodeBelief, believe, label_changes
from escadre.names import NODE_LABEL_PREFIX, NODE_LABEL_PRODUCT, node_weights_label

DIGEST = "sha256:" + hashlib.sha256(b"small").hexdigest()
OTHER = "sha256:" + hashlib.sha256(b"large").hexdigest()
READY = AgentView(ready=True, unready_since=None)
NOW = 1000.0


def entry(digest: str = DIGEST, state: str = "Verified", **more: Any) -> dict[str, Any]:
    return {
        "manifestDigest": digest,
        "storeID": "store-1",
        "state": state,
        "since": "2026-11-22T00:00:00Z",
        **more,
    }


def belief(
    *entries: dict[str, Any],
    agent: AgentView = READY,
    boot_id: str = "boot-1",
    node_uid: str = "node-1",
    **status: Any,
) -> NodeBelief:
    report = {
        "nodeUID": "node-1",
        "bootID": "boot-1",
        "storeID": "store-1",
        "weights": list(entries),
        **status,
    }
    return believe(
        node_uid=node_uid,
        boot_id=boot_id,
        status=GPUNodeStatus.model_validate(report),
        agent=agent,
        now=NOW,
    )


def test_a_report_of_this_node_boot_and_store_is_believed() -> None:
    found = belief(entry(), entry(OTHER, "Pulling", bytesDone=5, bytesTotal=9))
    assert found.trusted
    assert found.verified == {DIGEST}
    assert found.weights[OTHER].progress.bytes_done == 5
    assert found.recheck is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"nodeUID": "node-0"}, "node node-0", id="other-node-uid"),
        pytest.param({"node_uid": "node-2"}, "the node is node-2", id="node-was-replaced"),
        pytest.param({"bootID": "boot-0"}, "boot boot-0", id="other-boot"),
        pytest.param({"boot_id": "boot-2"}, "boot boot-2", id="machine-booted-again"),
        pytest.param({"boot_id": ""}, "boot -", id="node-without-a-boot-id"),
        pytest.param({"nodeUID": ""}, "reports node -", id="no-uid"),
    ],
)
def test_a_report_of_another_machine_is_not_believed_at_all(
    change: dict[str, Any], words: str
) -> None:
    found = belief(entry(), **change)
    assert (found.trusted, found.verified, found.weights) == (False, frozenset(), {})
    assert found.unbelieved is not None
    assert found.unbelieved.reason == reasons.NODE_IDENTITY_MISMATCH
    assert words in found.unbelieved.message
    assert found.unbelieved.message.startswith("its agent reports")


@pytest.mark.parametrize("boot", ["boot-1", ""], ids=["booted", "empty-never-matches"])
def test_an_agent_that_has_not_reported_yet_is_of_no_other_machine(boot: str) -> None:
    found = belief(entry(), bootID="", boot_id=boot)
    assert found.unbelieved == Unbelieved(reasons.AGENT_NOT_READY, "its agent has not reported yet")
    assert (found.verified, found.weights) == (frozenset(), {})


@pytest.mark.parametrize(
    ("store", "entry_store", "believed"),
    [
        ("store-1", "store-1", True),
        ("store-2", "store-1", False),  # the disk was re-imaged after the weights were verified
        ("store-1", "store-0", False),
        ("", "", False),
        ("", "store-1", False),
    ],
)
def test_an_entry_counts_only_in_the_store_it_was_verified_in(
    store: str, entry_store: str, believed: bool
) -> None:
    found = belief(entry(storeID=entry_store), storeID=store)
    assert found.trusted
    assert (DIGEST in found.verified) is believed
    assert (DIGEST in found.weights) is believed


@pytest.mark.parametrize("state", ["Pulling", "Failed"])
def test_only_verified_weights_are_verified(state: str) -> None:
    assert belief(entry(state=state)).verified == frozenset()


@pytest.mark.parametrize(
    ("since", "believed", "recheck"),
    [
        (NOW, True, 60.0),
        (NOW - 59, True, 1.0),
        (NOW - 60, False, None),
        (NOW - 3600, False, None),
        (None, False, None),  # nobody knows since when: never for ever
    ],
)
def test_an_unready_agent_is_believed_for_a_minute(
    since: float | None, believed: bool, recheck: float | None
) -> None:
    found = belief(entry(), agent=AgentView(ready=False, unready_since=since))
    assert found.trusted is believed
    assert (DIGEST in found.verified) is believed
    assert found.recheck == recheck
    if not believed:
        assert found.unbelieved is not None
        assert found.unbelieved.reason == reasons.AGENT_NOT_READY


def test_a_mismatch_counts_at_once_also_in_the_minute_of_an_unready_agent() -> None:
    found = belief(entry(), agent=AgentView(ready=False, unready_since=NOW), boot_id="boot-2")
    assert found.unbelieved is not None
    assert found.unbelieved.reason == reasons.NODE_IDENTITY_MISMATCH
    assert not found.verified


def test_the_label_key_is_fixed_for_ever() -> None:
    # sha256("") in base32, made with sha256sum, xxd and base32.
    digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert node_weights_label(digest) == (
        "escadre.node-restriction.kubernetes.io/"
        "4oymiquy7qobjgx36tejs35zeqt24qpemsnzgtfeswmrw6csxbkq"
    )


@given(st.binary(min_size=32, max_size=32))
def test_the_label_key_is_legal_and_tells_the_digest(raw: bytes) -> None:
    key = node_weights_label("sha256:" + raw.hex())
    assert key.startswith(NODE_LABEL_PREFIX)
    name = key.removeprefix(NODE_LABEL_PREFIX)
    assert len(name) == 52
    assert name.isalnum()
    assert name == name.lower()
    assert base64.b32decode(name.upper() + "====") == raw


KEY, OTHER_KEY = node_weights_label(DIGEST), node_weights_label(OTHER)


@pytest.mark.parametrize(
    ("labels", "verified", "changes"),
    [
        ({}, {DIGEST}, {KEY: "verified"}),
        ({KEY: "verified"}, {DIGEST}, {}),
        ({KEY: "verified"}, set(), {KEY: None}),
        ({KEY: "verified"}, {OTHER}, {KEY: None, OTHER_KEY: "verified"}),
        ({KEY: "no"}, {DIGEST}, {KEY: "verified"}),
        ({NODE_LABEL_PREFIX + "forged": "verified"}, set(), {NODE_LABEL_PREFIX + "forged": None}),
        ({"nvidia.com/gpu.product": "H100", "escadre.dev/x": "y"}, set(), {}),
        ({"x.node-restriction.kubernetes.io/a": "b"}, set(), {}),
    ],
)
def test_label_changes_of_weights(
    labels: dict[str, str], verified: set[str], changes: dict[str, str | None]
) -> None:
    assert label_changes(labels, verified) == changes


@pytest.mark.parametrize(
    ("labels", "product", "changes"),
    [
        ({}, "L4", {NODE_LABEL_PRODUCT: "L4"}),
        ({NODE_LABEL_PRODUCT: "L4"}, "L4", {}),
        ({NODE_LABEL_PRODUCT: "T4"}, "L4", {NODE_LABEL_PRODUCT: "L4"}),
        ({NODE_LABEL_PRODUCT: "L4"}, "", {NODE_LABEL_PRODUCT: None}),
    ],
)
def test_label_changes_of_the_product(
    labels: dict[str, str], product: str, changes: dict[str, str | None]
) -> None:
    assert label_changes({KEY: "verified", **labels}, {DIGEST}, product) == changes


@given(
    st.dictionaries(
        st.sampled_from((KEY, OTHER_KEY, NODE_LABEL_PREFIX + "x", "other.io/x", "plain")),
        st.sampled_from(("verified", "", "no")),
    ),
    st.sets(st.sampled_from((DIGEST, OTHER))),
)
def test_labels_end_as_verified_and_nothing_else_is_touched(
    labels: dict[str, str], verified: set[str]
) -> None:
    after: dict[str, str | None] = {**labels, **label_changes(labels, verified)}
    after = {key: value for key, value in after.items() if value is not None}
    ours = {key: value for key, value in after.items() if key.startswith(NODE_LABEL_PREFIX)}
    assert ours == {node_weights_label(digest): "verified" for digest in verified}
    foreign = {key: value for key, value in after.items() if key not in ours}
    assert foreign == {k: v for k, v in labels.items() if not k.startswith(NODE_LABEL_PREFIX)}
    assert label_changes({k: v or "" for k, v in after.items()}, verified) == {}


def test_why_an_agent_is_not_believed_is_said_with_node_and_numbers() -> None:
    other = belief(boot_id="boot-2").unbelieved
    assert other is not None
    assert other.message == (
        "its agent reports node node-1 boot boot-1, the node is node-1 boot boot-2"
    )
    late = belief(agent=AgentView(ready=False, unready_since=NOW - 61)).unbelieved
    assert late is not None
    assert late.message == "its agent has not been ready for more than 60 s"
