"""GPUs from a file: for test clusters and for trying Escadre on a machine without any.

The file is JSON: ``{"driverVersion": "580.65.06", "gpus": [{…}, …]}`` with the fields of
GPUNode.status.gpus. It is read anew each time, so a test can break a GPU.
"""

import json
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from escadre import reasons
from escadre.agent.gpus.inventory import Inventory
from escadre.api.base import Model
from escadre.api.gpunode import GPU
from escadre.errors import Refusal
from escadre.fieldfaults import first_fault

__all__ = ["SimulatedInventory"]


class _File(Model):
    driver_version: Annotated[str, Field(max_length=64)] = "simulated"
    gpus: Annotated[list[GPU], Field(max_length=64)]


class SimulatedInventory:
    """Reads GPUs from a JSON file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Inventory:
        """The GPUs that the file lists now."""
        try:
            content = _File.model_validate(json.loads(self._path.read_bytes()))
        except OSError as error:
            raise self._refusal(str(error.strerror)) from error
        except ValidationError as error:
            raise self._refusal(first_fault(error)) from error
        except ValueError as error:
            raise self._refusal(f"not JSON: {error}") from error
        return Inventory(content.driver_version, tuple(content.gpus))

    def _refusal(self, what: str) -> Refusal:
        return Refusal(
            reasons.NVML_UNAVAILABLE, f"reading simulated GPUs from {self._path}: {what}"
        )
