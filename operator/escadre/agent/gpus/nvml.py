"""GPUs from the driver through NVML (pynvml).

What one GPU does not support or cannot answer makes that value unknown, or as it was last seen:
never the whole reading, nor a fault of the GPU. A lost one, or one that needs a reset, stays in the
list, unhealthy, as it was last seen. No library or no driver is a message.
Health is what NVML itself calls for: a recovery action, failed or pending row remapping.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, Literal, TypeVar

import pynvml

from escadre import reasons
from escadre.agent.gpus.inventory import Inventory
from escadre.agent.gpus.links import active_links, fabric_clique, pcie_link
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


def _system_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class NvmlInventory:
    """Reads GPUs through NVML.

    Args:
        nvml: the pynvml module, or what answers like it.
        system_memory: bytes of the machine's memory, for GPUs that have none of their own.
    """

    def __init__(
        self, nvml: Any = pynvml, system_memory: Callable[[], int] = _system_memory
    ) -> None:
        self._nvml, self._system_memory = nvml, system_memory
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
        uuid = nvml.nvmlDeviceGetUUID(handle)  # a GPU that does not tell even this is not readable
        last = self._seen.get(index)
        last = last if last and last.uuid == uuid else _unseen(index)
        mig = self._known(lambda: nvml.nvmlDeviceGetMigMode(handle)[0], last.mig)
        memory, source = self._memory(handle, last)
        links = active_links(nvml, self._known, handle)
        complaint = self._complaint(handle)
        return GPU(
            index=index,
            uuid=uuid,
            product=self._known(
                lambda: nvml.nvmlDeviceGetName(handle).replace(" ", "-"), last.product
            ),
            memory_bytes=memory,
            memory_source=source,
            reserved_bytes=self._known(
                lambda: nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2).reserved, None
            ),
            compute_capability=self._known(
                lambda: "{}.{}".format(*nvml.nvmlDeviceGetCudaComputeCapability(handle)),
                last.compute_capability,
            ),
            nvlink=bool(links),
            nvlinks=links,
            fabric_clique=fabric_clique(nvml, self._known, handle),
            pcie=pcie_link(nvml, self._known, handle),
            mig=bool(mig),
            healthy=not complaint,
            message=complaint,
        )

    def _memory(self, handle: Any, last: GPU) -> tuple[int, Literal["System"] | None]:
        """Bytes of it and where they are from; NVML has no answer where memory is unified."""
        nvml = self._nvml

        def ask() -> tuple[int, Literal["System"] | None]:
            try:
                return nvml.nvmlDeviceGetMemoryInfo(handle).total, None
            except nvml.NVMLError_NotSupported:
                return self._system_memory(), "System"

        return self._known(ask, (last.memory_bytes, last.memory_source))

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
        """The answer, or ``otherwise`` when there is none; raises only what is the GPU's fault.

        A newer driver may refuse an old question in a way that this binding has no name for.
        """
        try:
            return ask()
        except (self._nvml.NVMLError_GpuIsLost, self._nvml.NVMLError_ResetRequired):
            raise
        except self._nvml.NVMLError:
            return otherwise
