"""A node as planning sees it: what its labels, its agent and its device plugin say together."""

from collections.abc import Mapping
from typing import Any

import pytest

from escadre.api.gpunode import GPU, GPUNodeStatus
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.belief import NodeBelief
from escadre.state.nodes import node_facts, own_label
from escadre.state.unused import unused
from escadre.state.views import DeviceClaimView, GPUNodeView, NodeView, PodView

GIB = 1 << 30
L4 = {
    "nvidia.com/gpu.product": "NVIDIA-L4",
    "nvidia.com/gpu.count": "4",
    "nvidia.com/gpu.memory": "23034",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "9",
    "nvidia.com/gpu.replicas": "1",
}
OWN = "escadre.node-restriction.kubernetes.io/gpu-product"
BELIEVED = NodeBelief(verified=frozenset(), weights={})


def view(labels: Mapping[str, str], gpus: int = 4, devices: int | None = None) -> NodeView:
    meta = {"name": "gpu-0", "uid": "u", "resourceVersion": "1", "labels": dict(labels)}
    status = {"allocatable": {"nvidia.com/gpu": str(gpus)}}
    if devices is not None:
        status["capacity"] = {"nvidia.com/gpu": str(devices)}
    return NodeView.of({"metadata": meta, "status": status})


def card(index: int, product: str = "NVIDIA-L4", gib: int = 22, **more: Any) -> GPU:
    values = {
        "index": index,
        "uuid": f"GPU-{index}",
        "product": product,
        "memory_bytes": gib * GIB,
        "compute_capability": "8.9",
        "nvlink": False,
        "healthy": True,
        **more,
    }
    return GPU(**values)


def facts(node: NodeView, *gpus: GPU) -> NodeFacts | None:
    owner = [{"kind": "Node", "uid": "u"}]
    meta = {"name": "gpu-0", "uid": "g", "resourceVersion": "1", "ownerReferences": owner}
    status = GPUNodeStatus(node_uid="u", gpus=list(gpus)).model_dump(mode="json", by_alias=True)
    gpunode = GPUNodeView.of({"metadata": meta, "status": status}) if gpus else None
    return node_facts(node, gpunode, BELIEVED if gpus else None, (), ())


def seen(node: NodeView, *gpus: GPU) -> NodeFacts:
    found = facts(node, *gpus)
    assert found is not None
    return found


FOUR = tuple(card(index) for index in range(4))


@pytest.mark.parametrize(
    ("node", "gpus"),
    [
        pytest.param(view(L4, 16), (), id="label of the count"),
        pytest.param(view({**L4, "nvidia.com/gpu.count": ""}, 16), FOUR, id="agent"),
        pytest.param(view(L4, 16), FOUR, id="both"),
    ],
)
def test_more_gpus_than_there_are_cards_are_shared(node: NodeView, gpus: tuple[GPU, ...]) -> None:
    node_seen = seen(node, *gpus)
    assert node_seen.blocked == "shares its GPUs: it offers 16 nvidia.com/gpu and has 4 cards"
    assert node_seen.unfit


@pytest.mark.parametrize(
    ("node", "gpus"),
    [
        pytest.param(view(L4), (), id="label"),
        pytest.param(view(L4, 3), FOUR, id="one is held back"),
        pytest.param(view({**L4, "nvidia.com/gpu.count": "0"}), (), id="no count"),
        pytest.param(view(L4), FOUR[:3], id="a card fell off the bus"),
        pytest.param(view(L4), (*FOUR[:3], card(3, "", 0, healthy=False)), id="never readable"),
    ],
)
def test_no_more_gpus_than_cards_is_open(node: NodeView, gpus: tuple[GPU, ...]) -> None:
    assert (seen(node, *gpus).blocked, seen(node, *gpus).unfit) == ("", False)


def test_different_cards_close_the_node_by_name() -> None:
    cards = (card(0, "RTX-4090", 24), card(1, "RTX-3090", 24), card(2, "RTX-3080", 10))
    mixed = seen(view({**L4, "nvidia.com/gpu.product": "RTX-4090"}, 3), *cards)
    assert mixed.blocked == "has different GPUs, RTX-3080 beside RTX-4090: pods may get either"
    assert mixed.unfit


DISPLAY = card(0, "NVIDIA-T400-4GB", 4, compute_capability="7.5")
BEHIND_IT = tuple(card(index) for index in (1, 2))


@pytest.mark.parametrize(
    "labels",
    [pytest.param(L4, id="named by the label"), pytest.param({OWN: "NVIDIA-L4"}, id="by us")],
)
def test_a_display_card_that_the_device_plugin_leaves_out_is_no_gpu(labels: dict[str, str]) -> None:
    node = seen(view(labels, 2), DISPLAY, *BEHIND_IT)
    assert (node.product, node.gpus, node.blocked) == ("NVIDIA-L4", 2, "")
    assert (node.memory_bytes, node.compute_capability) == (22 * GIB, (8, 9))


@pytest.mark.parametrize(
    ("node", "cards"),
    [
        pytest.param(view(L4, 3), (DISPLAY, *BEHIND_IT), id="it is offered as well"),
        pytest.param(view(L4, 2, 3), (DISPLAY, *BEHIND_IT), id="offered, and one card is ill"),
        pytest.param(view(L4, 1), (DISPLAY, *BEHIND_IT), id="not known which is left out"),
    ],
)
def test_a_display_card_that_pods_may_get_closes_the_node(
    node: NodeView, cards: tuple[GPU, ...]
) -> None:
    assert seen(node, *cards).blocked == (
        "has different GPUs, NVIDIA-T400-4GB beside NVIDIA-L4: pods may get either"
    )


def test_cards_of_other_makers_are_no_gpus() -> None:
    meta = {"name": "amd-0", "uid": "u", "resourceVersion": "1", "labels": {}}
    node = NodeView.of({"metadata": meta, "status": {"allocatable": {"amd.com/gpu": "8"}}})
    assert (node.gpus, facts(node), unused(node)) == (0, None, None)


def test_another_card_of_less_power_closes_as_well() -> None:
    odd = card(1, "A30", 24, compute_capability="8.0")
    assert "A30 beside NVIDIA-L4" in seen(view(L4, 2), card(0), odd).blocked


def test_another_card_that_does_all_that_the_named_one_does_closes_nothing() -> None:
    twin = card(1, "NVIDIA-L4-OEM")
    assert seen(view(L4, 2), card(0), twin).blocked == ""


@pytest.mark.parametrize(
    ("strategy", "offered", "usable"),
    [
        pytest.param("mixed", 2, 2, id="mixed: whole cards are offered beside slices"),
        pytest.param("mixed", 4, 0, id="more than there are whole cards"),
        pytest.param("none", 2, 0, id="none: sliced cards are offered as well"),
        pytest.param("", 4, 0, id="unknown"),
    ],
)
def test_slices_that_the_agent_sees_close_the_node(
    strategy: str, offered: int, usable: int
) -> None:
    cards = (*FOUR[:2], card(2, mig=True), card(3, mig=True))
    node = seen(view({**L4, "nvidia.com/mig.strategy": strategy}, offered), *cards)
    said = "" if usable else "has 2 of 4 GPUs in MIG mode"
    assert (node.blocked, node.unfit) == (said, not usable)
    assert node.gpus == 2


@pytest.mark.parametrize(
    ("labels", "blocked"),
    [
        pytest.param({OWN: "NVIDIA-L4"}, "", id="labelled by us"),
        pytest.param({}, f"is not labelled {OWN}=NVIDIA-L4 yet", id="not yet"),
        pytest.param({OWN: "Tesla-T4"}, f"is not labelled {OWN}=NVIDIA-L4 yet", id="another card"),
    ],
)
def test_without_feature_discovery_the_product_that_the_agent_tells_is_what_pods_ask_for(
    labels: dict[str, str], blocked: str
) -> None:
    """As on a node of GKE, whose own label no pod asks for."""
    node = view({"cloud.google.com/gke-accelerator": "nvidia-l4", **labels})
    told = seen(node, *FOUR)
    assert (told.product, told.blocked, told.unfit) == ("NVIDIA-L4", blocked, False)
    assert (told.memory_bytes, told.compute_capability) == (22 * GIB, (8, 9))
    assert own_label(node, FOUR) == "NVIDIA-L4"


def test_what_feature_discovery_names_is_not_labelled_again() -> None:
    assert own_label(view(L4), FOUR) == ""
    assert own_label(view({}), ()) == ""


def test_a_name_that_no_label_can_hold_is_said() -> None:
    odd = card(0, "NVIDIA-(TM)-L4")
    assert own_label(view({}, 1), [odd]) == ""
    assert seen(view({}, 1), odd).blocked == (
        "has GPUs whose name no label can hold, NVIDIA-(TM)-L4: run GPU feature discovery"
    )


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-l4"}, id="GKE"),
        pytest.param({"kubernetes.azure.com/accelerator": "nvidia"}, id="AKS"),
        pytest.param({"eks.amazonaws.com/instance-gpu-name": "l4"}, id="EKS"),
        pytest.param({"karpenter.k8s.aws/instance-gpu-name": "l4"}, id="Karpenter"),
    ],
)
def test_a_clouds_own_label_is_named(labels: dict[str, str]) -> None:
    assert facts(view(labels)) is None
    left = unused(view(labels))
    [[key, value]] = labels.items()
    assert left is not None
    assert left.why.endswith(f"({key}={value} does not stand in for it)")


def test_virtual_gpus_are_told_apart() -> None:
    assert seen(view({**L4, "nvidia.com/vgpu.present": "true"})).apart
    assert not seen(view({**L4, "nvidia.com/vgpu.present": "false"})).apart


def test_one_unread_card_lowers_nothing() -> None:
    node = seen(view(L4), card(0, "", 0, compute_capability="", healthy=False), *FOUR[1:])
    assert (node.memory_bytes, node.compute_capability, node.gpus) == (22 * GIB, (8, 9), 3)


@pytest.mark.parametrize(
    ("gpu", "labelled", "memory"),
    [
        pytest.param(card(0, gib=0), "100000", 100000 << 20, id="unknown to the agent"),
        pytest.param(card(0, gib=120, memory_source="System"), "", 120 * GIB, id="unified"),
        pytest.param(
            card(0, gib=120, memory_source="System"), "100000", 100000 << 20, id="set by hand"
        ),
        pytest.param(card(0), "100000", 22 * GIB, id="measured"),
    ],
)
def test_memory_is_measured_else_labelled_else_the_systems(
    gpu: GPU, labelled: str, memory: int
) -> None:
    node = view({**L4, "nvidia.com/gpu.memory": labelled}, 1)
    assert seen(node, gpu).memory_bytes == memory


@pytest.mark.parametrize(
    ("without", "gpu", "lacks"),
    [
        pytest.param(("memory", "compute"), card(0, compute_capability=""), "compute", id="memory"),
        pytest.param(("memory", "compute"), card(0, gib=0), "memory", id="capability"),
        pytest.param(
            ("product", "memory", "compute"),
            card(0, compute_capability=""),
            "compute",
            id="product and memory",
        ),
    ],
)
def test_what_the_agent_tells_is_not_said_to_be_missing(
    without: tuple[str, ...], gpu: GPU, lacks: str
) -> None:
    labels = {key: value for key, value in L4.items() if not any(one in key for one in without)}
    node = view(labels, 1)
    assert facts(node, gpu) is None
    left = unused(node, [gpu])
    assert left is not None
    assert left.product == "NVIDIA-L4"
    assert f"has no label nvidia.com/gpu.{lacks}" in left.why


def claim(*devices: str, node: str = "gpu-0", **more: Any) -> DeviceClaimView:
    """A ResourceClaim as the scheduler allocates it for devices of one node."""
    results = [
        {"request": "gpu", "driver": "gpu.nvidia.com", "pool": node, "device": one, **more}
        for one in devices
    ]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    selector = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    allocation = {"devices": {"results": results}, "nodeSelector": selector}
    meta = {"name": "train", "namespace": "lab", "uid": "c", "resourceVersion": "1"}
    return DeviceClaimView.of({"metadata": meta, "status": {"allocation": allocation}})


def pod(gpus: int) -> PodView:
    container = {"resources": {"limits": {"nvidia.com/gpu": str(gpus)}}}
    meta = {"name": "train", "namespace": "lab", "uid": "p", "resourceVersion": "1"}
    return PodView.of({"metadata": meta, "spec": {"nodeName": "gpu-0", "containers": [container]}})


@pytest.mark.parametrize(
    ("holders", "taken"),
    [
        pytest.param((claim("gpu-0"), claim("gpu-1", "gpu-2")), 3, id="claims"),
        pytest.param((pod(1), claim("gpu-3")), 2, id="a pod by the device plugin, and a claim"),
        pytest.param((claim("gpu-0-mig-1g-10gb-0"),), 1, id="a part of a GPU"),
        pytest.param((claim("gpu-0", "gpu-0"),), 1, id="one GPU for two requests of a claim"),
        pytest.param((claim("gpu-0", adminAccess=True),), 0, id="who only looks on"),
        pytest.param((claim("rdma-0", driver="dra.net"),), 0, id="other devices"),
    ],
)
def test_gpus_that_resource_claims_hold_are_taken(
    holders: tuple[PodView | DeviceClaimView, ...], taken: int
) -> None:
    node = node_facts(view(L4), None, None, holders, ())
    assert node is not None
    assert (node.gpus, node.gpus_foreign, node.blocked) == (4, taken, "")


@pytest.mark.parametrize(
    "claimed",
    [
        pytest.param({}, id="not allocated"),
        pytest.param({"status": {"allocation": {"devices": {}}}}, id="nothing in it"),
        pytest.param({"status": {"allocation": {"devices": {"results": None}}}}, id="null"),
    ],
)
def test_a_claim_without_devices_holds_nothing(claimed: dict[str, Any]) -> None:
    meta = {"name": "train", "namespace": "lab", "uid": "c", "resourceVersion": "1"}
    found = DeviceClaimView.of({"metadata": meta, **claimed})
    assert (found.node, found.gpus) == ("", 0)


def test_a_claim_made_for_a_pod_that_asks_for_gpus_is_counted_by_the_pod() -> None:
    held = {"results": [{"driver": "gpu.nvidia.com", "pool": "gpu-0", "device": "gpu-0"}]}
    field = {"key": "metadata.name", "operator": "In", "values": ["gpu-0"]}
    selector = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    meta = {
        "name": "train",
        "namespace": "lab",
        "uid": "c",
        "resourceVersion": "1",
        "annotations": {"resource.kubernetes.io/extended-resource-claim": "true"},
    }
    status = {"allocation": {"devices": held, "nodeSelector": selector}}
    assert DeviceClaimView.of({"metadata": meta, "status": status}).gpus == 0


def test_an_unknown_compute_capability_is_the_fact_that_is_missing() -> None:
    labels = {key: value for key, value in L4.items() if "compute" not in key}
    assert facts(view(labels)) is None
    left = unused(view(labels))
    assert left is not None
    assert left.why == (
        "has no label nvidia.com/gpu.compute.major, and its agent does not tell the compute "
        "capability"
    )
