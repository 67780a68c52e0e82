"""A process that pulls one model, for tests that kill it: STORE URL DIGEST TOTAL COMMIT."""

import sys
import threading
import time
from pathlib import Path

from tests.clients.sources.faulty import LOCAL

from escadre.agent.pull.meter import Meter
from escadre.agent.pull.pull import Pull
from escadre.agent.pull.transfer import TransferLimits
from escadre.agent.store.store import open_store
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.factory import open_source


def main(store: str, url: str, digest: str, total: str, commit: str) -> None:
    spec = ModelMirrorSpec(type="http", url=url)
    Pull(
        digest=digest,
        total=int(total),
        mirror=open_source("tree", spec, repository="org/model", revision=commit, guard=LOCAL),
        store=open_store(Path(store), lambda: "2026-11-22T00:00:00Z"),
        meter=Meter(time.monotonic),
        stop=threading.Event(),
        limits=TransferLimits(files=1, chunks=2),
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
