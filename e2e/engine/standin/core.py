"""The process that computes, as far as anybody can see one: vLLM's server has it as a child.

It computes nothing and ends with its parent. Who kills it sees what an engine does that dies at run
time; ``__main__`` starts and watches it, before there is an event loop.
"""

import os
import signal
from pathlib import Path
from typing import Final, NoReturn

__all__ = ["NAME", "start_core"]

NAME: Final = "VLLM::EngineCor"  # the 15 characters that the kernel keeps of it


def start_core() -> int:
    """Fork it; a descriptor that becomes readable when it has died."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _be_one(ours, theirs)
    os.close(ours)  # ``theirs`` stays open as long as this process lives
    return os.pidfd_open(child)


def _be_one(ours: int, theirs: int) -> NoReturn:
    os.close(theirs)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # its parent tells it when to end
    Path("/proc/self/comm").write_text(NAME, encoding="ascii")
    os.read(ours, 1)
    os._exit(0)
