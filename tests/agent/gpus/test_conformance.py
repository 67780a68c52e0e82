"""The stand-in for a driver and a real one answer alike: one file, both legs.

The driver's leg runs where NVML finds one and is skipped elsewhere. data/nvml-h100.json and
nvml-h200.json are recordings of single cards passed through to a virtual machine (driver
580.159.04), their UUIDs replaced.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pynvml
import pytest
from tests.fakes.nvml import FakeNvml

from escadre.agent.gpus.nvml import NvmlInventory
from escadre.api.gpunode import GPU

DATA = Path(__file__).parent / "data"
RECORDINGS = ("nvml-h100", "nvml-h200", "nvml-two-h100")


def _driver() -> Any:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        pytest.skip(f"no driver here: {error}")
    pynvml.nvmlShutdown()
    return pynvml


@pytest.fixture(params=[*RECORDINGS, "driver"])
def nvml(request: pytest.FixtureRequest) -> Iterator[Any]:
    """What answers as pynvml does, not begun."""
    if request.param == "driver":
        library = _driver()
    else:
        library = FakeNvml(json.loads((DATA / f"{request.param}.json").read_text()))
    yield library
    with suppress(pynvml.NVMLError):
        library.nvmlShutdown()


def _readable(gpu: GPU) -> None:
    assert re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", gpu.uuid)
    assert re.fullmatch(r"NVIDIA-[A-Za-z0-9-]+", gpu.product)
    assert re.fullmatch(r"\d+\.\d", gpu.compute_capability)
    assert gpu.memory_bytes > 1 << 30
    assert gpu.memory_bytes % (1 << 20) == 0
    assert gpu.reserved_bytes is not None
    assert 0 < gpu.reserved_bytes < gpu.memory_bytes // 50


def test_each_gpu_is_read_whole_and_a_healthy_one_says_nothing(nvml: Any) -> None:
    inventory = NvmlInventory(nvml).read()
    assert re.fullmatch(r"\d{3}\.\d+(\.\d+)?", inventory.driver_version)
    assert [gpu.index for gpu in inventory.gpus] == list(range(len(inventory.gpus)))
    assert inventory.gpus
    for gpu in inventory.gpus:
        _readable(gpu)
        assert (gpu.healthy, gpu.message) == (True, "")


def test_nothing_changes_between_two_readings(nvml: Any) -> None:
    source = NvmlInventory(nvml)
    assert source.read() == source.read()


def test_an_index_beyond_the_last_gpu_is_an_invalid_argument(nvml: Any) -> None:
    nvml.nvmlInit()
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        nvml.nvmlDeviceGetHandleByIndex(nvml.nvmlDeviceGetCount())


def test_nothing_is_answered_before_it_began(nvml: Any) -> None:
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        nvml.nvmlDeviceGetCount()


def test_a_link_is_a_state_or_not_supported(nvml: Any) -> None:
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    try:
        assert nvml.nvmlDeviceGetNvLinkState(handle, 0) in {0, 1}
    except pynvml.NVMLError_NotSupported:
        assert not NvmlInventory(nvml).read().gpus[0].nvlink


def test_the_memory_answers_agree(nvml: Any) -> None:
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    first, second = (
        nvml.nvmlDeviceGetMemoryInfo(handle),
        nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2),
    )
    assert first.total == second.total


def test_a_recovery_action_of_nothing_is_zero(nvml: Any) -> None:
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByIndex(0)
    field = nvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
    [answer] = nvml.nvmlDeviceGetFieldValues(handle, [field])
    assert (answer.nvmlReturn, answer.value.uiVal) == (pynvml.NVML_SUCCESS, 0)
