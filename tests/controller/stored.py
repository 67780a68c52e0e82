"""Whole states of the fake API server as files: what an earlier version of the operator left.

``tests/controller/data/at-VERSION.json`` was written by the code of that version and is never
written again: it stands for clusters that run it. At a release::

    python -m tests.controller.stored
"""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tests.controller.operator import Operator
from tests.controller.world import World
from tests.fakes.kube_server import FakeServer

from escadre import __version__
from escadre.settings import Settings

__all__ = ["DATA", "restore", "store"]

Json = dict[str, Any]
DATA: Final = Path(__file__).parent / "data"
# Some settings have their default, some have not.
SETTINGS: Final[Json] = {
    "engine": {
        "image": "registry.example/vllm@sha256:" + "e" * 64,
        "memory": "24Gi",
        "extraArgs": ["--enable-prefix-caching"],
        "env": {"VLLM_LOGGING_LEVEL": "INFO"},
        "drainSeconds": 120,
    }
}


def store(server: FakeServer, settings: Json, path: Path) -> None:
    """Write everything that the server holds."""
    tables = {
        resource.describe("", "").strip(): {
            "objects": [table.objects[key] for key in sorted(table.objects)],
            "intents": [[*key, body] for key, body in table.intents.items()],
        }
        for resource, table in server.tables.items()
        if table.objects
    }
    state = {
        "version": server.version,
        "uidsGiven": server.uids_given,
        "now": server.now.isoformat(),
        "settings": settings,
        "tables": tables,
    }
    path.write_text(json.dumps(state, sort_keys=True, ensure_ascii=False) + "\n")


def restore(server: FakeServer, path: Path) -> Json:
    """Put the server into the state on disk; the operator's settings of then."""
    state = json.loads(path.read_text())
    server.version, server.uids_given = state["version"], state["uidsGiven"]
    server.now = datetime.fromisoformat(state["now"])
    for resource, table in server.tables.items():
        held = state["tables"].get(resource.describe("", "").strip(), {})
        table.objects.clear()
        for obj in held.get("objects", ()):
            meta = obj["metadata"]
            table.objects[(meta.get("namespace", ""), meta["name"])] = obj
        table.intents.clear()
        for key, manager, subresource, body in held.get("intents", ()):
            table.intents[(tuple(key), manager, subresource)] = body
    settings: Json = state["settings"]
    return settings


async def _at_rest() -> FakeServer:
    """A cluster with three replicas that serve: of a small wish, and of one that says it all."""
    world = World(nodes=3, settings=Settings.model_validate(SETTINGS))
    world.approve()
    world.deploy("chat", scaling={"minReplicas": 2, "maxReplicas": 2})
    scaling = {"minReplicas": 1, "maxReplicas": 3, "targetQueueDepth": 9}
    world.deploy("dense", concurrency=16, typicalTokens=2048, scaling=scaling)
    await Operator.start(world).settle()
    return world.server


def main() -> None:
    """Write the file of this version."""
    path = DATA / f"at-{__version__}.json"
    if path.exists():
        raise SystemExit(f"{path} exists: clusters like it run, it is not written again")
    store(asyncio.run(_at_rest()), SETTINGS, path)


if __name__ == "__main__":
    main()
