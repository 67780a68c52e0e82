"""Starts the stand-in as a process of its own on a free port, for tests beside a cluster.

In the test cluster the engine runner starts it instead, from a pod's own command line.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Standin", "command", "standin"]

_STARTED: Final = "Starting vLLM stand-in on "
_REPOSITORY: Final = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Standin:
    """A running stand-in."""

    url: str
    process: subprocess.Popen[str]


def command(folder: Path, *flags: str) -> list[str]:
    """Its command line, on loopback and a port that the system chooses."""
    base = [sys.executable, "-m", "e2e.engine.standin", str(folder)]
    return [*base, "--host", "127.0.0.1", "--port", "0", *flags]


@contextmanager
def standin(
    folder: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> Iterator[Standin]:
    """Run it while the block runs; ``RuntimeError`` with its output if it does not start."""
    process = subprocess.Popen(
        command(folder, *flags),
        cwd=_REPOSITORY,
        env=os.environ | dict(environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    reader: threading.Thread | None = None
    try:
        for line in process.stdout:
            lines.append(line)
            if _STARTED in line:
                reader = threading.Thread(target=lines.extend, args=(process.stdout,))
                reader.start()  # so that the pipe never fills
                yield Standin(line.split(_STARTED)[1].strip(), process)
                break
        else:
            raise RuntimeError(f"the stand-in ended with {process.wait()}:\n{''.join(lines)}")
    finally:
        process.kill()
        process.wait()
        if reader is not None:
            reader.join()
        process.stdout.close()
