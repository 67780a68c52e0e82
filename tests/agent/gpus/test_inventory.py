"""The inventory: NVML with a stand-in that answers as the library does, and the simulated source.

data/nvml-two-h100.json was written by hand after public listings of an H100; it is no recording.
"""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pynvml
import pytest
from tests.fakes.nvml import FakeNvml

from escadre import reasons
from escadre.agent.gpus.nvml import NvmlInventory
from escadre.agent.gpus.simulated import SimulatedInventory
from escadre.api.gpunode import PCIe
from escadre.errors import Refusal

DATA = Path(__file__).parent / "data"


@pytest.fixture
def nvml() -> FakeNvml:
    return FakeNvml(json.loads((DATA / "nvml-two-h100.json").read_text()))


def test_a_healthy_node_is_read(nvml: FakeNvml) -> None:
    inventory = NvmlInventory(nvml).read()
    assert inventory.driver_version == "580.65.06"
    first, second = inventory.gpus
    assert first.product == "NVIDIA-H100-80GB-HBM3"
    assert first.memory_bytes == 85520809984
    assert first.reserved_bytes == 570425344
    assert first.compute_capability == "9.0"
    assert first.nvlink
    assert first.healthy
    assert (second.index, second.mig) == (1, True)
    assert (first.nvlinks, first.fabric_clique) == (18, None)
    assert first.pcie == PCIe(generation=5, lanes=16)


def test_what_a_gpu_cannot_tell_stays_unknown(nvml: FakeNvml) -> None:
    for name in ("reserved", "mig", "links", "fabric", "pcie", "rows", "action"):
        nvml.reading["gpus"][0].pop(name)
    gpu = NvmlInventory(nvml).read().gpus[0]
    assert (gpu.reserved_bytes, gpu.mig, gpu.nvlink, gpu.healthy) == (None, False, False, True)
    assert (gpu.nvlinks, gpu.fabric_clique, gpu.pcie) == (None, None, None)


@pytest.mark.parametrize("told", [[0, 16], [5, 0], [0xFFFFFFFF, 16], [5, 0xFFFFFFFF]])
def test_a_pcie_link_that_cannot_be_stays_unknown(nvml: FakeNvml, told: list[int]) -> None:
    nvml.reading["gpus"][0]["pcie"] = told
    first, second = NvmlInventory(nvml).read().gpus
    assert first.pcie is None
    assert first.healthy
    assert second.pcie == PCIe(generation=5, lanes=16)


RACK = "0a1b2c3d-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("fabric", "clique"),
    [
        pytest.param([RACK, 7, 3, 0], f"{RACK}.7", id="joined"),
        pytest.param([RACK, 7, 2, 0], None, id="still joining"),
        pytest.param([RACK, 7, 3, 999], None, id="joining failed"),
        pytest.param([str(UUID(int=0)), 0, 3, 0], None, id="within a node"),
    ],
)
def test_the_clique_is_told_of_gpus_that_have_joined_a_fabric_of_several_nodes(
    nvml: FakeNvml, fabric: list[str | int], clique: str | None
) -> None:
    nvml.reading["gpus"][0]["fabric"] = fabric
    assert NvmlInventory(nvml).read().gpus[0].fabric_clique == clique


def test_links_that_are_down_are_not_counted(nvml: FakeNvml) -> None:
    nvml.reading["gpus"][0]["links"][3:] = [0] * 15
    nvml.reading["gpus"][1]["links"] = [0] * 18
    first, second = NvmlInventory(nvml).read().gpus
    assert (first.nvlink, first.nvlinks) == (True, 3)
    assert (second.nvlink, second.nvlinks) == (False, 0)


@pytest.mark.parametrize(
    "errors",
    [
        pytest.param({"mig": 26}, id="deprecated"),
        pytest.param({"mig": 998}, id="an error the binding has no name for"),
        pytest.param({"links": 999}, id="unknown error"),
        pytest.param({"rows": 27}, id="not ready"),
        pytest.param({"memory": 999}, id="memory"),
        pytest.param({"fabric": 999, "pcie": 13}, id="fabric and PCIe"),
        pytest.param({"name": 999, "capability": 999}, id="name and capability"),
    ],
)
def test_one_value_that_cannot_be_read_is_no_fault_of_the_gpu(
    nvml: FakeNvml, errors: dict[str, int]
) -> None:
    source = NvmlInventory(nvml)
    nvml.reading["gpus"][0]["errors"] = errors
    gpu = source.read().gpus[0]
    assert (gpu.uuid, gpu.healthy, gpu.message) == (nvml.reading["gpus"][0]["uuid"], True, "")
    assert (gpu.memory_bytes == 0) == ("memory" in errors)
    assert (gpu.product, gpu.compute_capability) == (
        ("", "") if "name" in errors else ("NVIDIA-H100-80GB-HBM3", "9.0")
    )


def test_a_value_that_cannot_be_read_any_more_is_as_it_was(nvml: FakeNvml) -> None:
    source = NvmlInventory(nvml)
    before = source.read()
    errors = {"name": 999, "capability": 999, "memory": 999}
    nvml.reading["gpus"][0]["errors"] = errors
    after = source.read().gpus[0]
    assert after == before.gpus[0].model_copy(update={"reserved_bytes": None})


@pytest.mark.parametrize("question", ["name", "memory", "mig", "links", "fabric", "pcie", "rows"])
def test_a_gpu_that_needs_a_reset_is_a_fault_whatever_was_asked(
    nvml: FakeNvml, question: str
) -> None:
    nvml.reading["gpus"][0]["errors"] = {question: pynvml.NVML_ERROR_RESET_REQUIRED}
    first, second = NvmlInventory(nvml).read().gpus
    assert (first.healthy, second.healthy) == (False, True)
    assert "GPU requires restart" in first.message


def test_unified_memory_is_the_systems_and_said_to_be(nvml: FakeNvml) -> None:
    nvml.reading["gpus"][0]["errors"] = {"memory": pynvml.NVML_ERROR_NOT_SUPPORTED}
    first, second = NvmlInventory(nvml, lambda: 128 << 30).read().gpus
    assert (first.memory_bytes, first.memory_source, first.healthy) == (128 << 30, "System", True)
    assert second.memory_source is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"action": 2}, "NVML asks for a reboot of the node", id="recovery action"),
        pytest.param({"action": 99}, "recovery action 99", id="unknown action"),
        pytest.param({"rows": [0, 1, 0, 1]}, "remapping memory rows failed", id="rows failed"),
        pytest.param({"rows": [0, 1, 1, 0]}, "reset the GPU", id="row pending"),
    ],
)
def test_a_gpu_that_needs_attention_says_so(
    nvml: FakeNvml, change: dict[str, Any], says: str
) -> None:
    nvml.reading["gpus"][1].update(change)
    sick = NvmlInventory(nvml).read().gpus[1]
    assert not sick.healthy
    assert says in sick.message


def test_a_lost_gpu_stays_in_the_list_as_it_was(nvml: FakeNvml) -> None:
    source = NvmlInventory(nvml)
    before = source.read().gpus[1]
    nvml.reading["gpus"][1]["lost"] = True
    lost = source.read().gpus[1]
    assert (lost.uuid, lost.product, lost.healthy) == (before.uuid, before.product, False)
    assert "GPU is lost" in lost.message
    unknown = NvmlInventory(nvml).read().gpus[1]
    assert (unknown.uuid, unknown.healthy) == ("", False)


def test_no_library_is_a_message_and_comes_back(nvml: FakeNvml) -> None:
    source = NvmlInventory(nvml)
    nvml.broken = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    with pytest.raises(Refusal, match="NVML not available: NVML Shared Library Not Found") as c:
        source.read()
    assert c.value.reason == reasons.NVML_UNAVAILABLE
    nvml.broken = None
    assert len(source.read().gpus) == 2
    nvml.broken = pynvml.NVMLError(pynvml.NVML_ERROR_UNKNOWN)  # the driver was reloaded
    with pytest.raises(Refusal):
        source.read()
    assert nvml.begun == 0
    nvml.broken = None
    source.read()
    assert nvml.begun == 1


def test_the_real_library_without_a_driver_is_a_message() -> None:
    try:
        NvmlInventory().read()
    except Refusal as refusal:
        assert refusal.message.startswith("NVML not available: ")  # noqa: PT017 - a GPU may be here


def test_simulated_gpus_are_read_anew_each_time(tmp_path: Path) -> None:
    path = tmp_path / "gpus.json"
    gpu = {
        "index": 0,
        "uuid": "GPU-0",
        "product": "NVIDIA-H100-80GB-HBM3",
        "memoryBytes": 85520809984,
        "computeCapability": "9.0",
        "nvlink": True,
        "healthy": True,
    }
    path.write_text(json.dumps({"driverVersion": "1", "gpus": [gpu]}))
    source = SimulatedInventory(path)
    assert source.read().gpus[0].healthy
    path.write_text(json.dumps({"gpus": [gpu | {"healthy": False}]}))
    assert not source.read().gpus[0].healthy


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param("{", "not JSON", id="not JSON"),
        pytest.param('{"gpus": [{"index": -1}]}', r"gpus\[0\]\.index", id="wrong field"),
    ],
)
def test_unusable_simulations_are_refused(tmp_path: Path, text: str | None, says: str) -> None:
    path = tmp_path / "gpus.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Refusal, match=says):
        SimulatedInventory(path).read()
