"""The table of truth of ModelMirrors."""

from pathlib import Path
from typing import Final

import yaml
from tests.core.statuses import NOW
from tests.health.cell import DONE, STAYS, Cell, Json, Meaning

from escadre import reasons
from escadre.api.mirror import ModelMirrorStatus
from escadre.api.wire import dump
from escadre.core.status.conditions import merge
from escadre.core.status.mirror import PullFailure, mirror_leaves
from escadre.names import API_VERSION

__all__ = ["MIRRORS"]

_UNSEEN: Final = yaml.safe_load(
    (Path(__file__).parents[2] / "crds/modelmirrors.yaml").read_text(encoding="utf-8")
)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["default"]
_DOWN: Final = PullFailure("gpu-0", reasons.MIRROR_UNAVAILABLE, "connection refused")
_WRONG: Final = PullFailure("gpu-1", reasons.DIGEST_MISMATCH, "chunk 3 differs")


def _object(status: Json) -> Json:
    meta = {"name": "internal", "generation": 1}
    return {"apiVersion": API_VERSION, "kind": "ModelMirror", "metadata": meta, "status": status}


def _cell(what: str, ready: str, meaning: Meaning, *failed: PullFailure, invalid: str = "") -> Cell:
    conditions = merge(mirror_leaves(invalid, failed), (), 1, NOW)
    found = dump(ModelMirrorStatus(observed_generation=1, conditions=conditions))
    progress, kstatus, argo = meaning
    return Cell(what, _object(found), ready, progress, "", kstatus, argo)


MIRRORS: Final = (
    Cell(
        "just created: no operator has looked at it",
        _object(_UNSEEN),
        "Unknown Pending",
        "-",
        "",
        "InProgress",
        "Progressing",
    ),
    _cell("can be read, and no pull from it fails", "True MirrorAccepted", DONE),
    _cell(
        "cannot be read with this version's rules",
        "False MirrorInvalid",
        STAYS,
        invalid="spec.url: missing",
    ),
    _cell("does not answer a node that pulls", "False MirrorUnavailable", STAYS, _DOWN),
    _cell("sent other bytes than the approved ones", "False DigestMismatch", STAYS, _DOWN, _WRONG),
)
