"""One start of one container: the process from its first mount to its exit status.

The chain is ``setpriv (dies with the runner) > nsenter (the pod's sandbox) > unshare (own mounts
and processes) > sh > the script``. The outer ``sh`` waits and passes the exit status on, because
``unshare --fork`` would turn a SIGKILL of its child into status 1.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from e2e.cluster.runner.sandbox import Sandbox
from e2e.cluster.runner.script import ContainerPlan, build_script

__all__ = ["ContainerProcess", "StartFailedError"]

_OUTER = 'setpriv --pdeathsig KILL sh "$0" 3>&1 1>&2 & echo $!; wait $!'
_TAIL_BYTES = 2048
_MESSAGE_BYTES = 4096


class StartFailedError(RuntimeError):
    """The container's mounts or user could not be set up; the message is from the script."""


class ContainerProcess:
    """A container that runs or ran."""

    def __init__(self, plan: ContainerPlan, sandbox: Sandbox, log: Path, message: Path) -> None:
        self.started_at = 0.0
        self.exited = asyncio.Event()
        self.exit_code = 0
        self.pid = 0
        self._plan = plan
        self._sandbox = sandbox
        self._log = log
        self._log_start = 0
        self._message = message
        self._process: asyncio.subprocess.Process | None = None
        self._waiter: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and return when the program itself runs."""
        self._plan.folder.mkdir(parents=True, exist_ok=True)
        (self._plan.folder / "rootfs").mkdir(exist_ok=True)
        script = self._plan.folder / "start.sh"
        script.write_text(build_script(self._plan))
        self._message.write_bytes(b"")
        self._message.chmod(0o666)
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", *self._sandbox.enter()),
                *("unshare", "--mount", "--pid", "sh", "-c", _OUTER, str(script)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._waiter = asyncio.create_task(self._wait())
        assert self._process.stdout is not None
        # Two writers, one pipe: "PID" by the outer shell, "up" by the script, in either order.
        words = [await self._process.stdout.readline() for _ in range(2)]
        numbers = [word for word in words if word.strip().isdigit()]
        self.pid = int(numbers[0]) if numbers else 0
        self.started_at = time.time()
        if b"up\n" not in words:
            await self.exited.wait()
            raise StartFailedError(self.log_tail().strip() or "the container's script ended early")

    async def _wait(self) -> None:
        assert self._process is not None
        code = await self._process.wait()
        self.exit_code = 128 - code if code < 0 else code
        self.exited.set()

    def signal(self, number: signal.Signals) -> None:
        """Signal process 1 of the container; it may ignore anything but SIGKILL."""
        if self.exited.is_set():
            return
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, number)
            elif number is signal.SIGKILL and self._process is not None:
                self._process.kill()

    async def kill(self) -> None:
        """End it at once and return when it is gone."""
        self.signal(signal.SIGKILL)
        await self.exited.wait()

    def enter(self) -> list[str]:
        """The command line prefix that runs a program beside it, in its namespaces and root."""
        flags = ("--mount", "--pid", "--net", "--ipc", "--uts", "--root", "--wdns=/")
        identity = ("setpriv", f"--reuid={self._plan.user}", f"--regid={self._plan.group}")
        variables = (f"{key}={value}" for key, value in self._plan.environment.items())
        return [
            *("nsenter", f"--target={self.pid}", *flags, *identity, "--clear-groups"),
            *("env", "--ignore-environment", *variables),
        ]

    def log_tail(self) -> str:
        """The last 2,048 bytes that this start wrote."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _TAIL_BYTES))
            return log.read().decode(errors="replace")

    def termination_message(self, *, logs_on_error: bool) -> str:
        """What it left in its termination log, or its last words if the pod wants those."""
        written = self._message.read_bytes()[-_MESSAGE_BYTES:].decode(errors="replace")
        if not written and logs_on_error and self.exit_code != 0:
            return self.log_tail()
        return written
