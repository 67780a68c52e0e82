"""GPUs from the driver through NVML (pynvml).

What one GPU does not support or cannot answer makes that value unknown, never the whole reading; a
lost GPU stays in the list, unhealthy, as it was last seen. No library or no driver is a message.
Health is what NVML itself calls for: a recovery action, failed or pending row remapping.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import pynvml

from escadre import reasons
from escadre.agent.gpus.inventory import Inventory
from escadre.api.gpunode import GPU
from escadre.errors import Refusal

__all__ = ["NvmlInventory"]

_T = TypeVar("_T")
_ACTIONS: Final = {
    1: "a reset of the GPU",
    2: "a reboot of the node",
    3: "draining peer-to-peer traffic and a reset",
    4: "draining the GPU and a reset",
    5: "a recovery of the IMEX domain",
    6: "a reset of the bus",
    7: "a reboot of the system",
}


def _unseen(index: int) -> GPU:
    """A GPU that could never be read."""
    return GPU(
        index=index,
        uuid="",
        product="",
        memory_bytes=0,
        compute_capability="",
        nvlink=False,
        healthy=False,
    )


class NvmlInventory:
    """Reads GPUs through NVML.

    Args:
        nvml: the pynvml module, or what answers like it.
    """

    def __init__(self, nvml: Any = pynvml) -> None:
        self._nvml = nvml
        self._begun = False
        self._seen: dict[int, GPU] = {}

    def read(self) -> Inventory:
        """The GPUs now; begins anew after a failure, as the driver may have been reloaded."""
        with self._faults():
            if not self._begun:
                self._nvml.nvmlInit()
                self._begun = True
            driver = self._nvml.nvmlSystemGetDriverVersion()
            gpus = tuple(self._gpu(index) for index in range(self._nvml.nvmlDeviceGetCount()))
        self._seen = {gpu.index: gpu for gpu in gpus}
        return Inventory(driver, gpus)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self._nvml.NVMLError as error:
            if self._begun:
                with suppress(self._nvml.NVMLError):
                    self._nvml.nvmlShutdown()
            self._begun = False
            raise Refusal(reasons.NVML_UNAVAILABLE, f"NVML not available: {error}") from error

    def _gpu(self, index: int) -> GPU:
        try:
            handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
            return self._read(index, handle)
        except self._nvml.NVMLError as error:
            last = self._seen.get(index) or _unseen(index)
            lost = {"healthy": False, "message": f"NVML cannot read GPU {index}: {error}"}
            return GPU.model_validate({**dict(last), **lost})

    def _read(self, index: int, handle: Any) -> GPU:
        nvml = self._nvml
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        mig = self._known(lambda: nvml.nvmlDeviceGetMigMode(handle)[0], 0)
        complaint = self._complaint(handle)
        return GPU(
            index=index,
            uuid=nvml.nvmlDeviceGetUUID(handle),
            product=nvml.nvmlDeviceGetName(handle).replace(" ", "-"),
            memory_bytes=nvml.nvmlDeviceGetMemoryInfo(handle).total,
            reserved_bytes=self._known(
                lambda: nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2).reserved, None
            ),
            compute_capability=f"{major}.{minor}",
            nvlink=any(
                self._link_is_up(handle, link) for link in range(nvml.NVML_NVLINK_MAX_LINKS)
            ),
            mig=bool(mig),
            healthy=not complaint,
            message=complaint,
        )

    def _link_is_up(self, handle: Any, link: int) -> bool:
        return bool(self._known(lambda: self._nvml.nvmlDeviceGetNvLinkState(handle, link), 0))

    def _complaint(self, handle: Any) -> str:
        """What NVML says the GPU needs; empty when nothing."""
        nvml = self._nvml
        said: list[str] = []
        field = nvml.NVML_FI_DEV_GET_GPU_RECOVERY_ACTION
        answer = self._known(lambda: nvml.nvmlDeviceGetFieldValues(handle, [field])[0], None)
        if answer is not None and not answer.nvmlReturn and (action := int(answer.value.uiVal)):
            said.append(f"NVML asks for {_ACTIONS.get(action, f'recovery action {action}')}")
        rows = self._known(lambda: nvml.nvmlDeviceGetRemappedRows(handle), (0, 0, 0, 0))
        if rows[3]:
            said.append("remapping memory rows failed: have the GPU inspected")
        elif rows[2]:
            said.append("a memory row waits to be remapped: reset the GPU")
        return "; ".join(said)

    def _known(self, ask: Callable[[], _T], otherwise: _T) -> _T:
        """The answer, or ``otherwise`` when this GPU or driver has none; a lost GPU is raised."""
        try:
            return ask()
        except (
            self._nvml.NVMLError_NotSupported,
            self._nvml.NVMLError_InvalidArgument,
            self._nvml.NVMLError_FunctionNotFound,
            self._nvml.NVMLError_NoPermission,
            self._nvml.NVMLError_ArgumentVersionMismatch,
        ):
            return otherwise
