"""What the operator wants of this node, with the mirrors it names. Pure.

Read from GPUNode.spec by agent/reporter.py. Operator and agent are of two versions during an
upgrade: an entry whose mirror this agent does not know, or cannot read, waits and says so, and no
other entry waits for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from escadre.api.gpunode import MirrorSource, WantedWeights
from escadre.api.probe import MirrorProbe
from escadre.fieldfaults import first_fault

__all__ = ["ProbeWish", "Wish", "probe_wishes", "wishes"]


@dataclass(frozen=True, slots=True)
class Wish:
    """One entry; ``source`` is its mirror, None where ``waits`` says why it is not known."""

    want: WantedWeights
    source: MirrorSource | None
    waits: str = ""

    @property
    def digest(self) -> str:
        """Which weights."""
        return self.want.manifest_digest

    @property
    def mirror(self) -> str | None:
        """Name of the mirror."""
        return self.want.mirror_name

    def pulls_as(self, other: "Wish") -> bool:
        """Whether one pull does for both: the same weights, from the same place, the same way."""
        if self.source is None or other.source is None:
            return self == other
        kept = {"mirror": None, "approval": self.want.approval}
        same = self.want.model_copy(update=kept) == other.want.model_copy(update=kept)
        return same and self.source.connects_as(other.source)


@dataclass(frozen=True, slots=True)
class ProbeWish:
    """A mirror to ask a little, and how to connect to it."""

    probe: MirrorProbe
    source: MirrorSource


def probe_wishes(spec: Mapping[str, Any]) -> tuple[ProbeWish, ...]:
    """What the node is to ask; what this version cannot read, it does not ask.

    The operator tells then that nobody answered.
    """
    found: list[ProbeWish] = []
    mirrors = _mirrors(spec)
    for given in spec.get("probes") or ():
        try:
            probe = MirrorProbe.model_validate(given)
        except ValidationError:
            continue
        source = mirrors.get(probe.mirror)
        if isinstance(source, MirrorSource) and source.generation == probe.generation:
            found.append(ProbeWish(probe, source))
    return tuple(found)


def wishes(spec: Mapping[str, Any]) -> tuple[Wish, ...]:
    """The entries of a GPUNode's spec, in its order; ValidationError when they cannot be read."""
    mirrors = _mirrors(spec)
    wants = (WantedWeights.model_validate(one) for one in spec.get("weights") or ())
    return tuple(_wish(want, mirrors) for want in wants)


def _mirrors(spec: Mapping[str, Any]) -> dict[str, MirrorSource | str]:
    """By name; why one cannot be read."""
    mirrors: dict[str, MirrorSource | str] = {}
    for given in spec.get("mirrors") or ():
        try:
            mirror = MirrorSource.model_validate(given)
            mirrors[mirror.name] = mirror
        except ValidationError as error:
            mirrors[str(given.get("name"))] = first_fault(error)
    return mirrors


def _wish(want: WantedWeights, mirrors: Mapping[str, MirrorSource | str]) -> Wish:
    if want.mirror is None:
        told = "waits for the operator, of an earlier version still, to tell the mirror"
        return Wish(want, None, told)
    name, generation = want.mirror.name, want.mirror.generation
    found = mirrors.get(name)
    if isinstance(found, str):
        told = f"waits: this version of the agent cannot read mirror {name}: {found}"
        return Wish(want, None, told)
    if found is None:
        told = f"waits for the operator: mirror {name} is not in spec.mirrors of the GPUNode"
        return Wish(want, None, told)
    if found.generation != generation:
        told = (
            f"waits for the operator: generation {generation} of mirror {name} is wanted, "
            f"spec.mirrors of the GPUNode has generation {found.generation}"
        )
        return Wish(want, None, told)
    return Wish(want, found)
