"""An engine as a process, the stand-in or the real vLLM, started as the operator has it started.

For tests/engine/test_conformance.py, which says each behaviour once. What a test reads here is what
a kubelet would: exit status, answers over HTTP, and the termination message.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from e2e.engine.ports import free_port
from e2e.engine.vllm.images import entry
from e2e.engine.vllm.install import environment_folder
from tests.engine.fetching import fetch

from escadre.render.engine import LOGGING_CONFIG

_REPOSITORY: Final = Path(__file__).parents[2]
_MESSAGE_BYTES: Final = 4096  # of the termination log, as a kubelet takes them
_TAIL_BYTES: Final = 2048  # of the output, where that log is empty
_FLAGS: Final = (
    "--host=127.0.0.1",
    "--served-model-name",
    "assistant",
    "org/Tiny",
    "--max-num-seqs=2",
    "--max-num-batched-tokens=2048",
    "--gpu-memory-utilization=0.90",
    "--tokenizer-mode=mistral",
    "--config-format=mistral",
    "--load-format=mistral",
    "--enforce-eager",  # nothing is compiled: a start takes half the time
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two engines: how it is started and how patient one has to be."""

    name: str
    seconds: float
    environment: dict[str, str]

    @property
    def real(self) -> bool:
        """Whether it is vLLM itself."""
        return self.name == "vllm"

    def entrypoint(self) -> list[str]:
        """The command before the model's folder."""
        if self.real:
            return list(entry(environment_folder())["entrypoint"])
        return [sys.executable, "-m", "e2e.engine.standin"]


# Room for 524,288 tokens of the tiny model, in both.
STANDIN: Final = Kind("standin", 60, {"STANDIN_LINGER_SECONDS": "4", "STANDIN_KV_TOKENS": "524288"})
VLLM: Final = Kind("vllm", 400, {"VLLM_CPU_KVCACHE_SPACE": "1"})


def installed() -> bool:
    """Whether the real one can be run here."""
    return (environment_folder() / "escadre-complete").exists()


@dataclass(slots=True)
class Running:
    """A started engine."""

    kind: Kind
    process: subprocess.Popen[bytes]
    url: str
    log: Path
    message: Path

    def healthy(self) -> bool:
        """Whether /health says 200."""
        return self.health() == 200

    def health(self) -> int:
        """The status of /health; 0 where nobody listens."""
        try:
            return fetch(self.url, "/health").status
        except OSError:
            return 0

    def wait_healthy(self) -> None:
        """Wait for it; AssertionError with its words when it ends instead."""
        self.wait(self.healthy, "it to be healthy")

    def wait(self, condition: Any, what: str) -> None:
        """Wait while it runs until ``condition()`` is true."""
        deadline = time.monotonic() + self.kind.seconds
        while not condition():
            assert self.process.poll() is None, f"ended while {what} was awaited:\n{self.tail()}"
            assert time.monotonic() < deadline, f"waited for {what}:\n{self.tail()}"
            time.sleep(0.05)

    def end(self) -> int:
        """Wait for its exit status."""
        return self.process.wait(timeout=self.kind.seconds)

    def told(self) -> None:
        """As a kubelet tells it to stop."""
        self.process.send_signal(signal.SIGTERM)

    def core(self) -> int:
        """The process that computes; 0 before it runs."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for child in children.read_text().split():
            try:
                name = Path(f"/proc/{child}/comm").read_text()
            except OSError:
                continue
            if name.startswith("VLLM::EngineCor"):
                return int(child)
        return 0

    def catches(self, number: int) -> bool:
        """Whether it has a handler for a signal yet."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return bool(int(status.split("SigCgt:")[1].split()[0], 16) & 1 << (number - 1))

    def tail(self) -> str:
        """The end of its output."""
        return self.log.read_text(errors="replace")[-_TAIL_BYTES:]

    def last_words(self) -> str:
        """The termination message of a container that ended with an error."""
        written = self.message.read_bytes()[-_MESSAGE_BYTES:].decode(errors="replace")
        if written or not self.process.returncode:
            return written
        return self.log.read_bytes()[-_TAIL_BYTES:].decode(errors="replace")


@contextmanager
def engine(
    kind: Kind, model: Path, *flags: str, environment: dict[str, str] | None = None
) -> Iterator[Running]:
    """Start it; at the end of the block it is gone, with all its children."""
    # Its processes talk over sockets in TMPDIR: the path of a socket has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="engine-") as place:
        folder, port = Path(place), free_port()
        log, message, logging = folder / "log", folder / "message", folder / "logging.json"
        message.touch()
        logging.write_text(LOGGING_CONFIG.replace("/dev/termination-log", str(message)))
        fixed = {"HOME": place, "TMPDIR": place, "VLLM_LOGGING_CONFIG_PATH": str(logging)}
        base = dict(entry(environment_folder())["environment"]) if kind.real else dict(os.environ)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*kind.entrypoint(), str(model), f"--port={port}", *_FLAGS, *flags],
                cwd=_REPOSITORY,
                env=base | kind.environment | fixed | (environment or {}),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            yield Running(kind, process, f"http://127.0.0.1:{port}", log, message)
        finally:
            _kill_session(process)
            process.wait()


def _kill_session(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
