"""One pull as an agent does it, of this build or of 0.1.0: verification, store and record.

``python pulling.py JSON`` with {store, url, digest, total, commit}, by the interpreter of the build
to be measured. Prints {seconds, cpu, rss, imported}: of the pull alone, and what the process took
before it. All modules of an agent are loaded, so that its memory is the agent's.
"""

import importlib
import json
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["main"]


def main(order: dict[str, Any]) -> None:
    """Pull one model into a store."""
    try:
        names = ("agent.pull.meter", "agent.pull.pull", "agent.store.store", "agent.pull.transfer")
        modules = [importlib.import_module(f"escadre.{name}") for name in names]
        guard = importlib.import_module("escadre.clients.sources.guard").guard_of
        opener = partial(
            importlib.import_module("escadre.clients.sources.factory").open_source,
            guard=guard(["127.0.0.0/8"], []),
        )
    except ModuleNotFoundError:  # 0.1.0
        names = ("agent.meter", "agent.pull", "agent.store", "agent.transfer")
        modules = [importlib.import_module(f"escadre.{name}") for name in names]
        opener = importlib.import_module("escadre.clients.mirror.factory").open_mirror
    meter, pull, store, transfer = modules
    importlib.import_module("escadre.agent.agent")
    spec = importlib.import_module("escadre.api.mirror").ModelMirrorSpec(
        type="http", url=order["url"]
    )
    began, spent = time.monotonic(), time.process_time()
    mirror = opener("tree", spec, repository="org/model", revision=order["commit"])
    opened = store.open_store(Path(order["store"]), lambda: "2026-11-22T00:00:00Z")
    pull.Pull(
        digest=order["digest"],
        total=order["total"],
        mirror=mirror,
        store=opened,
        meter=meter.Meter(time.monotonic),
        stop=threading.Event(),
        limits=transfer.TransferLimits(),
    ).run()
    numbers = {
        "seconds": time.monotonic() - began,
        "cpu": time.process_time() - spent,
        "rss": _most_memory(),
    }
    print(json.dumps(numbers))


def _most_memory() -> int:
    """Bytes; of getrusage's ru_maxrss a process has what the one before its exec had, too."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
