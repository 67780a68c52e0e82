"""What the containers of one pod share: its object, folder, volumes, sandbox, and its end.

Written by the pod worker only; container workers read it and wait on it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.cluster.runner.container import ContainerProcess
from e2e.cluster.runner.sandbox import Sandbox
from e2e.cluster.runner.volumes import Volumes

__all__ = ["PodState"]

_LOOK_AGAIN = 5.0


@dataclass(slots=True)
class PodState:
    """Shared state of one pod on this machine."""

    pod: dict[str, Any]
    folder: Path
    volumes: Volumes
    address: str = ""
    sandbox: Sandbox | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # the grace became shorter

    @property
    def uid(self) -> str:
        """The pod's uid."""
        return str(self.pod["metadata"]["uid"])

    async def pause(self, seconds: float) -> None:
        """Wait, but not beyond the pod's end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def within(
        self,
        left: Callable[[], float],
        process: ContainerProcess,
        work: "asyncio.Future[None] | None",
    ) -> None:
        """Wait for the process's end, or for ``work``, while ``left()`` says there is time."""
        ends = asyncio.ensure_future(process.exited.wait())
        waited: set[asyncio.Future[Any]] = {ends} | ({work} if work is not None else set())
        try:
            while (seconds := left()) > 0:
                hurry = asyncio.ensure_future(self.hurry.wait())
                done, _ = await asyncio.wait(
                    {*waited, hurry},
                    timeout=min(seconds, _LOOK_AGAIN),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                hurry.cancel()
                if done & waited:
                    return
                self.hurry.clear()
        finally:
            ends.cancel()
