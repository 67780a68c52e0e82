"""Whole states of the fake API server as files: what an earlier version of the operator left.

``tests/controller/data/at-VERSION.json`` was written by the code of that version, in the world of
`tests.controller.world`, and is never written again: it stands for clusters that run it.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.fakes.kube_server import FakeServer

__all__ = ["restore", "store"]

Json = dict[str, Any]


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
