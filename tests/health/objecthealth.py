"""Asks the program ``objecthealth`` what GitOps tools make of objects."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from e2e.cluster.binaries import find_programs
from e2e.cluster.programs import Tier
from tests.health.cell import Json

__all__ = ["SCRIPT", "Verdict", "verdicts"]

SCRIPT: Final = Path(__file__).parents[2] / "charts" / "escadre" / "argocd" / "health.lua"


class Verdict(NamedTuple):
    """What kstatus and the health script say of one object, with their words."""

    kstatus: str
    kstatus_message: str
    argo: str
    argo_message: str


def verdicts(objects: Sequence[Json], script: str | None = None) -> list[Verdict]:
    """One for each object, in their order; without the program (`make binaries`) the test skips."""
    program = find_programs(Tier.TEST).get("objecthealth")
    if program is None:
        pytest.skip("objecthealth is not built yet: make binaries")
    asked = {"script": script or SCRIPT.read_text(encoding="utf-8"), "objects": objects}
    done = subprocess.run(
        [str(program.path)],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(one) for one in done.stdout.splitlines()]
    assert len(found) == len(objects)
    return [
        Verdict(one["kstatus"], one["kstatusMessage"], one["argo"], one["argoMessage"])
        for one in found
    ]
