"""A driver's NVML for tests: the calls the inventory makes, answered from a reading.

Errors are pynvml's own classes. tests/agent/gpus/test_conformance.py holds it to a real driver
where there is one; a call that is not here does not exist.
"""

# ruff: noqa: N802, N815 - named as pynvml names them

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pynvml

__all__ = ["FakeNvml"]


class FakeNvml:
    """Answers of a driver, from a file; errors are pynvml's own classes."""

    NVML_NVLINK_MAX_LINKS = pynvml.NVML_NVLINK_MAX_LINKS
    NVML_FI_DEV_GET_GPU_RECOVERY_ACTION = pynvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
    NVML_GPU_FABRIC_STATE_COMPLETED = pynvml.NVML_GPU_FABRIC_STATE_COMPLETED
    c_nvmlGpuFabricInfo_v2_t = pynvml.c_nvmlGpuFabricInfo_v2_t
    nvmlMemory_v2 = pynvml.nvmlMemory_v2
    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_GpuIsLost = pynvml.NVMLError_GpuIsLost
    NVMLError_ResetRequired = pynvml.NVMLError_ResetRequired

    def __init__(self, reading: dict[str, Any]) -> None:
        self.reading = reading
        self.begun = 0
        self.broken: Exception | None = None

    def _asked(self) -> None:
        if self.broken:
            raise self.broken
        if not self.begun:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)

    def _answer(self, gpu: dict[str, Any], question: str) -> None:
        """Raises what the reading's ``errors`` has for the question."""
        code = gpu.get("errors", {}).get(question)
        if code is not None:
            raise pynvml.NVMLError(code)

    def nvmlInit(self) -> None:
        if self.broken:
            raise self.broken
        self.begun += 1

    def nvmlShutdown(self) -> None:
        self.begun -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        self._asked()
        return str(self.reading["driver"])

    def nvmlDeviceGetCount(self) -> int:
        self._asked()
        return len(self.reading["gpus"])

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, Any]:
        self._asked()
        if not 0 <= index < len(self.reading["gpus"]):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        gpu: dict[str, Any] = self.reading["gpus"][index]
        if gpu.get("lost"):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return gpu

    def nvmlDeviceGetUUID(self, gpu: dict[str, Any]) -> str:
        return str(gpu["uuid"])

    def nvmlDeviceGetName(self, gpu: dict[str, Any]) -> str:
        self._answer(gpu, "name")
        return str(gpu["name"])

    def nvmlDeviceGetCudaComputeCapability(self, gpu: dict[str, Any]) -> tuple[int, int]:
        self._answer(gpu, "capability")
        major, minor = gpu["capability"]
        return major, minor

    def nvmlDeviceGetMemoryInfo(self, gpu: dict[str, Any], version: int = 0) -> SimpleNamespace:
        self._answer(gpu, "memory")
        if version and "reserved" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
        return SimpleNamespace(total=gpu["memory"], reserved=gpu.get("reserved"))

    def nvmlDeviceGetMigMode(self, gpu: dict[str, Any]) -> tuple[int, int]:
        self._answer(gpu, "mig")
        if "mig" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return gpu["mig"], gpu["mig"]

    def nvmlDeviceGetNvLinkState(self, gpu: dict[str, Any], link: int) -> int:
        self._answer(gpu, "links")
        if "links" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        links = gpu["links"]
        if link >= len(links):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return int(links[link])

    def nvmlDeviceGetGpuFabricInfoV(self, gpu: dict[str, Any], info: Any) -> int:
        self._answer(gpu, "fabric")
        if "fabric" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        cluster, info.cliqueId, info.state, info.status = gpu["fabric"]
        info.clusterUuid[:] = UUID(cluster).bytes
        return int(pynvml.NVML_SUCCESS)

    def nvmlDeviceGetMaxPcieLinkGeneration(self, gpu: dict[str, Any]) -> int:
        return self._pcie(gpu, 0)

    def nvmlDeviceGetMaxPcieLinkWidth(self, gpu: dict[str, Any]) -> int:
        return self._pcie(gpu, 1)

    def _pcie(self, gpu: dict[str, Any], which: int) -> int:
        self._answer(gpu, "pcie")
        if "pcie" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return int(gpu["pcie"][which])

    def nvmlDeviceGetRemappedRows(self, gpu: dict[str, Any]) -> tuple[int, ...]:
        self._answer(gpu, "rows")
        if "rows" not in gpu:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return tuple(gpu["rows"])

    def nvmlDeviceGetFieldValues(self, gpu: dict[str, Any], _: list[int]) -> list[SimpleNamespace]:
        known = "action" in gpu
        code = pynvml.NVML_SUCCESS if known else pynvml.NVML_ERROR_NOT_SUPPORTED
        return [SimpleNamespace(nvmlReturn=code, value=SimpleNamespace(uiVal=gpu.get("action", 0)))]
