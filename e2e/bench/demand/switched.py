"""The operator with a switch: ``switched.py operator --config FOLDER/config.yaml``.

While the file ``silent`` is beside its settings, its loop begins no round and reads no engine.
Read by turns and left alone by turns, one process is compared with itself.
"""

import sys
from pathlib import Path
from typing import Final

from escadre.cli.entry import main as escadre
from escadre.controller.demand import DemandLoop
from escadre.controller.keys import Key

__all__ = ["SILENT", "main"]

SILENT: Final = "silent"


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    silent = Path(arguments[arguments.index("--config") + 1]).with_name(SILENT)
    once, read_new = DemandLoop.once, DemandLoop.read_new

    async def heeding(self: DemandLoop) -> None:
        if not silent.exists():
            await once(self)

    async def heeding_new(self: DemandLoop, key: Key) -> None:
        if not silent.exists():
            await read_new(self, key)

    DemandLoop.once = heeding  # type: ignore[method-assign] # the product needs no such switch
    DemandLoop.read_new = heeding_new  # type: ignore[method-assign]
    return escadre()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv))
