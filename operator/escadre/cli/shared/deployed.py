"""A ModelDeployment as the views read it: parsed once, leniently, with what is missing named.

Pure. Also finds names near a mistyped one.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from escadre.api.agreements import disagreement
from escadre.api.base import Condition
from escadre.api.deployment import ModelDeploymentSpec, ModelDeploymentStatus
from escadre.api.wire import read, unread
from escadre.clients.kube import Json
from escadre.core.listing import listed
from escadre.fieldfaults import first_fault
from escadre.names import ConditionType

__all__ = ["Deployed", "near"]

_GLUE: Final = ". Next: "


@dataclass(frozen=True, slots=True)
class Deployed:
    """One object; ``spec`` is None when this version cannot read it (``problem`` says why)."""

    namespace: str
    name: str
    generation: int
    spec: ModelDeploymentSpec | None
    status: ModelDeploymentStatus
    problem: str

    @classmethod
    def read(cls, body: Json) -> "Deployed":
        """Reads an object of the API server."""
        meta = body["metadata"]
        spec, problem = _spec(body.get("spec") or {})
        told = body.get("status")
        unclear = unread(ModelDeploymentStatus, told)
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            generation=meta.get("generation", 0),
            spec=spec,
            status=_parted(read(ModelDeploymentStatus, told)),
            problem=problem or (f"status.{unclear}" if unclear else ""),
        )

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, None while there is none."""
        return next((each for each in self.status.conditions if each.type == type_), None)

    @property
    def ready(self) -> Condition | None:
        """The condition Ready."""
        return self.condition(ConditionType.READY)

    @property
    def is_ready(self) -> bool:
        """Whether it is ready, judged on the spec as it stands now."""
        ready = self.ready
        return ready is not None and ready.status == "True" and self.judged

    @property
    def judged(self) -> bool:
        """Whether the operator has looked at the current spec."""
        return self.status.observed_generation >= self.generation

    @property
    def model(self) -> str:
        """What serves; while nothing does, the repository that is approved, "" without one."""
        if self.status.serving is not None:
            return self.status.serving.summary
        return self.status.approval.repository if self.status.approval else ""


def _parted(status: ModelDeploymentStatus) -> ModelDeploymentStatus:
    """With the next step apart: operators before 0.2 glued it to the message."""
    conditions = [_apart(one) for one in status.conditions]
    return status.model_copy(update={"conditions": conditions})


def _apart(one: Condition) -> Condition:
    message, glue, step = one.message.rpartition(_GLUE)
    if not glue or one.next_step:
        return one
    return one.model_copy(update={"message": message, "next_step": step})


def _spec(content: Json) -> tuple[ModelDeploymentSpec | None, str]:
    try:
        spec = ModelDeploymentSpec.model_validate(content)
    except ValidationError as error:
        return None, first_fault(error, "spec")
    words = disagreement(spec)
    return (None, f"spec.{words}") if words else (spec, "")


def near(name: str, known: Iterable[str]) -> str:
    """`` Near: a, b.`` for a name that does not exist, or what exists at all."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"near it: {', '.join(close)}"
    if names:
        return f"there are: {listed(names, 5)}"
    return "there is none at all"
