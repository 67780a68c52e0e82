"""One supervised program: started, watched, started again when it dies unasked, stopped.

Used by the supervisor only. Every program runs in the supervisor's PID namespace, so nothing can
outlive it.
"""

import asyncio
import os
import signal
from pathlib import Path

__all__ = ["Supervised"]

_RESTART_DELAY = 0.5


class Supervised:
    """A program with its log file."""

    def __init__(
        self,
        name: str,
        command: list[str],
        log: Path,
        *,
        folder: Path | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.starts = 0
        self._command = command
        self._log = log
        self._folder = folder
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id in the supervisor's namespace, None while it does not run."""
        process = self._process
        return process.pid if process and process.returncode is None else None

    async def start(self) -> None:
        """Start it; from now on it is started again whenever it ends."""
        if self._watcher is None:
            await self._spawn()
            self._watcher = asyncio.create_task(self._watch())

    async def _spawn(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=os.environ | (self._environment or {}),
            )
        self.starts += 1

    async def _watch(self) -> None:
        while self._process is not None:
            code = await self._process.wait()
            print(f"{self.name} ended with status {code}: starting it again", flush=True)
            await asyncio.sleep(_RESTART_DELAY)
            await self._spawn()

    async def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after ``grace`` seconds; it stays down until ``start``."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), grace)
        except TimeoutError:
            process.kill()
            await process.wait()

    def signal(self, name: str) -> None:
        """Send a signal by name (``KILL``, ``STOP``, ``CONT``, …)."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.Signals[f"SIG{name}"])
