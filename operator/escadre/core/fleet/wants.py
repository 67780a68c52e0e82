"""What GPUNode.spec says of each node: entries of weights, and the mirrors that they name. Pure.

core/fleet/pulls.py decides on pulls and writes them down here. An entry carries name and generation
of its mirror; how to connect to it stands once for the node, as the operator knows it now.
"""

from collections.abc import Mapping
from typing import Final

from escadre.api.gpunode import MirrorReference, MirrorSource, WantedWeights
from escadre.core.facts.model import ApprovedModel
from escadre.core.facts.node import NodeFacts
from escadre.core.fleet.mirrorload import Place

__all__ = ["MAX_MIRRORS", "Wants"]

MAX_MIRRORS: Final = 16  # of one node: with a CA bundle of 64 KiB each, they fit into one object


class Wants:
    """Mutable inside one pass only; ``put`` is the only change.

    Args:
        nodes: by name, with what each was told last.
        mirrors: by name, as they are now.
        before: the entries that nodes were told last.
    """

    def __init__(
        self,
        nodes: Mapping[str, NodeFacts],
        mirrors: Mapping[str, MirrorSource],
        before: Mapping[Place, WantedWeights],
    ) -> None:
        self._nodes = nodes
        self._mirrors = mirrors
        self.before = before
        self.entries: dict[Place, WantedWeights] = {}
        self._named: dict[str, set[str]] = {}

    def put(self, place: Place, entry: WantedWeights) -> WantedWeights:
        """Write an entry down, with its mirror as that is now where it exists."""
        if entry.mirror is not None:
            entry = self._of_now(entry, entry.mirror)
            self._named.setdefault(place.node, set()).add(entry.mirror_name or "")
        self.entries[place] = entry
        return entry

    def entry(self, place: Place, model: ApprovedModel, mirror: str) -> WantedWeights:
        """What is to stand there; the same object as now when nothing changes."""
        now = self.before.get(place)
        facts = (model.approval, model.repository, model.revision, model.file_bytes)
        if now is None or facts != (now.approval, now.repository, now.revision, now.bytes):
            return WantedWeights(
                manifest_digest=place.digest,
                approval=model.approval,
                repository=model.repository,
                revision=model.revision,
                bytes=model.file_bytes,
                mirror=self._reference(mirror),
            )
        # What 0.1.0 wrote of weights that are there needs no mirror, and no write for its sake.
        settled = now.mirror is None and place.digest in self._nodes[place.node].verified
        reference = self._reference(mirror)
        if settled or now.mirror == reference:
            return now
        return now.model_copy(update={"mirror": reference, "source": None})

    def has_place(self, mirror: str, node: str) -> bool:
        """Whether the node's GPUNode can hold one mirror more, if it is one more."""
        named = self._named.get(node, ())
        return mirror in named or len(named) < MAX_MIRRORS

    @property
    def weights(self) -> dict[str, tuple[WantedWeights, ...]]:
        """The entries of every node that has some, by digest."""
        found: dict[str, list[WantedWeights]] = {}
        for place in sorted(self.entries):
            found.setdefault(place.node, []).append(self.entries[place])
        return {name: tuple(entries) for name, entries in found.items()}

    @property
    def mirrors(self) -> dict[str, tuple[MirrorSource, ...]]:
        """The mirrors that those name, by name; one that is gone as the node was told of it."""
        return {name: self._sources(name) for name in self._named}

    def _sources(self, node: str) -> tuple[MirrorSource, ...]:
        told = {one.name: one for one in self._nodes[node].mirrors}
        known = (self._mirrors.get(name) or told.get(name) for name in sorted(self._named[node]))
        return tuple(one for one in known if one)

    def _reference(self, mirror: str) -> MirrorReference:
        return MirrorReference(name=mirror, generation=self._mirrors[mirror].generation)

    def _of_now(self, entry: WantedWeights, named: MirrorReference) -> WantedWeights:
        mirror = self._mirrors.get(named.name)
        if mirror is None or mirror.generation == named.generation:
            return entry
        return entry.model_copy(update={"mirror": self._reference(named.name)})
