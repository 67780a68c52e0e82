"""The view of a replica's workload object: what it was made from, where it is to go, its drain.

Everything is read when the object arrives. The record of what a replica was made from is the same
text on many of them: what it means is kept once, for as long as one of them has it.
"""

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from typing_extensions import override

from escadre.api.deployment import REPLICA_WORDS, Layout
from escadre.core.replicas.drain import Drain, parse_drain
from escadre.core.replicas.inputs import ReplicaInputs, parse_inputs
from escadre.machinery.compact import Compact, header
from escadre.names import (
    ANNOTATION_DRAIN,
    ANNOTATION_INPUTS,
    ANNOTATION_NODE,
    LABEL_DEPLOYMENT,
    LABEL_INPUTS,
    replica_name,
)
from escadre.render.workload import WORKLOAD, is_recorded, recorded_template
from escadre.state.views.meta import Json

__all__ = ["ReplicaRecord"]

_shared: Final[WeakValueDictionary[str, ReplicaInputs]] = WeakValueDictionary()


@dataclass(frozen=True, slots=True)
class ReplicaRecord(Compact):
    """A replica as its object has it.

    ``slot`` is None when the name is not that of a replica of its deployment, ``inputs`` when they
    are missing or were damaged, ``planned_node`` "" when none is noted.
    """

    slot: int | None
    inputs: ReplicaInputs | None
    planned_node: str
    drain: Drain | None
    recorded: bool  # its template is on it as it was written
    refused: str  # why the API server makes no pod of it, "" when it does

    @property
    def layout(self) -> Layout | None:
        """The layout it was made with; None when this version cannot read it."""
        return self.inputs.layout if self.inputs else None

    @property
    def inputs_label(self) -> str | None:
        """What its pods carry; pods with another one are of an earlier template."""
        return self.labels.get(LABEL_INPUTS)

    def template(self) -> dict[str, Any] | None:
        """The pod template as rendered when it was made; None if missing or edited by hand."""
        return recorded_template(self.load()["metadata"].get("annotations") or {})

    @override
    def later(self, obj: Json) -> "ReplicaRecord":
        return ReplicaRecord.of(obj, self)

    @staticmethod
    def of(obj: Json, before: Compact | None = None) -> "ReplicaRecord":
        """Projection."""
        meta = obj["metadata"]
        notes = meta.get("annotations") or {}
        return ReplicaRecord(
            **header(obj, before),
            slot=_slot(meta["name"], (meta.get("labels") or {}).get(LABEL_DEPLOYMENT, "")),
            inputs=_inputs(notes.get(ANNOTATION_INPUTS, "")),
            planned_node=notes.get(ANNOTATION_NODE, ""),
            drain=parse_drain(notes.get(ANNOTATION_DRAIN, "")),
            recorded=is_recorded(notes),
            refused=REPLICA_WORDS.cut(WORKLOAD.refused(obj.get("status") or {})),
        )


def _slot(name: str, deployment: str) -> int | None:
    """The slot, from the name: its label can be edited by hand."""
    digits = name.removeprefix(f"{deployment}-")
    if not digits.isdecimal() or replica_name(deployment, int(digits)) != name:
        return None
    return int(digits)


def _inputs(text: str) -> ReplicaInputs | None:
    known = _shared.get(text)
    if known is None:
        known = parse_inputs(text)
        if known is not None:
            _shared[known.text] = known
    return known
