"""Who asks each mirror a little, for what, and what came out of it. No I/O, writes nothing.

One node asks for all. It stays the same while its agent is there: what it found stands then. Only
an approval that holds is asked about: whose bytes may run is not found out otherwise. A node is
told of as many mirrors as its object holds, those of its weights first.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from escadre.api.gpunode import GPUNodeSpec
from escadre.api.probe import MirrorProbe, SampleFile, about
from escadre.core.fleet.election import elected
from escadre.core.fleet.plan import FleetPlan
from escadre.core.fleet.wants import MAX_MIRRORS
from escadre.core.status.mirror import Found
from escadre.core.weights.extremes import extremes
from escadre.names import ConditionType
from escadre.state.caches import Caches
from escadre.state.memory import Memory, Probing
from escadre.state.views import ApprovalView, GPUNodeView, MirrorView
from escadre.state.views.meta import Json

__all__ = ["found_of", "is_doubted", "is_told", "probing_of", "told_of"]

_NO_APPROVAL = "nothing was asked of it, as no ModelApproval that holds names it"
_NO_AGENT = "nothing was asked of it, as no node has a ready agent"
_NO_PLACE = (
    "nothing was asked of it, as every node with a ready agent is told of "
    f"{MAX_MIRRORS} mirrors already, the most that a GPUNode holds"
)


def probing_of(
    caches: Caches, memory: Memory, mirror: MirrorView, doubted: datetime | None
) -> Probing | str:
    """Who asks and for what, or why nobody does.

    Args:
        caches: everything as it is.
        memory: who asks the other mirrors, and what the plan says of weights.
        mirror: of which.
        doubted: when a pull from it began to fail, if it did just now; else the last one stands.
    """
    approval = min(_naming(caches, mirror.name), key=lambda one: one.name, default=None)
    if approval is None:
        return _NO_APPROVAL
    ready = [one.name for one in caches.gpunodes.values() if _may_ask(caches, memory, one.name)]
    told = _told(memory, mirror.name)
    free = [one for one in ready if _has_place(told.get(one, frozenset()), mirror.name)]
    holding = [name for name in free if _asked(caches.gpunodes.get(name), mirror.name)]
    node = elected(mirror.name, holding or free)
    if node is None or mirror.source is None:
        return _NO_PLACE if ready else _NO_AGENT
    asked = doubted or (_doubted(caches.gpunodes.get(node), mirror) if holding else None)
    probe = _probe(mirror, approval).model_copy(update={"doubted_at": asked})
    return Probing(node, probe, mirror.source)


def told_of(node: str, plan: FleetPlan, probing: Collection[Probing]) -> GPUNodeSpec:
    """What a node is told, each by name; a mirror that weights name stands there once too.

    A probe whose mirror has no place beside those of the weights waits: is_told.
    """
    mine = sorted((one for one in probing if one.node == node), key=lambda one: one.source.name)
    mirrors = {one.name: one for one in plan.mirrors.get(node, ())}
    probes: list[MirrorProbe] = []
    for one in mine:
        if _has_place(mirrors.keys(), one.source.name):
            mirrors.setdefault(one.source.name, one.source)
            probes.append(one.probe)
    return GPUNodeSpec(
        weights=list(plan.nodes.get(node, ())),
        mirrors=[mirrors[name] for name in sorted(mirrors)],
        probes=probes,
    )


def is_told(memory: Memory, probing: Probing) -> bool:
    """Whether the node that is to ask has a place for the mirror."""
    if memory.plan is None:
        return True  # what it is told waits for the plan
    if probing.node not in memory.plan.nodes:
        return False
    told = told_of(probing.node, memory.plan, memory.probing.values())
    return any(one.mirror == probing.source.name for one in told.probes)


def _may_ask(caches: Caches, memory: Memory, node: str) -> bool:
    """Whether its agent works, and the plan knows the node: others are told nothing new."""
    known = memory.plan is None or node in memory.plan.nodes
    return known and caches.agents.of(node).ready


def _told(memory: Memory, but: str) -> dict[str, set[str]]:
    """The mirrors that each node is told of, one of those that are asked left out."""
    weights = memory.plan.mirrors if memory.plan else {}
    told = {node: {one.name for one in mirrors} for node, mirrors in weights.items()}
    for name, one in memory.probing.items():
        if name != but:
            told.setdefault(one.node, set()).add(name)
    return told


def _has_place(told: Collection[str], mirror: str) -> bool:
    return mirror in told or len(told) < MAX_MIRRORS


def found_of(caches: Caches, probing: Probing) -> Found | None:
    """What the node found of the mirror as it is now; None when it did not say yet."""
    gpunode = caches.gpunodes.get(probing.node)
    told = gpunode.status.probes if gpunode else []
    wanted = probing.probe
    for one in told:
        if about(one) == about(wanted):
            return Found(probing.node, one.approval, one)
    return None


def is_doubted(caches: Caches, mirror: MirrorView) -> bool:
    """Whether a node was told that pulls from it began to fail."""
    return any(_doubted(one, mirror) is not None for one in caches.gpunodes.values())


def _naming(caches: Caches, mirror: str) -> Iterable[ApprovalView]:
    """The approvals that hold, have a file with content, and name the mirror."""
    for one in caches.approvals.values():
        holds = any(
            told.type == ConditionType.APPROVED and told.status == "True" for told in one.told
        )
        full = one.spec is not None and any(file.size for file in one.spec.files)
        if holds and full and one.spec and mirror in one.spec.mirrors:
            yield one


def _asked(gpunode: GPUNodeView | None, mirror: str) -> Json | None:
    """The probe of that mirror, as the node was told last."""
    told = (gpunode.spec.get("probes") or ()) if gpunode else ()
    return next((one for one in told if one.get("mirror") == mirror), None)


def _doubted(gpunode: GPUNodeView | None, mirror: MirrorView) -> datetime | None:
    """Of that very object: one that was made anew is another one."""
    asked = _asked(gpunode, mirror.name) or {}
    given = asked.get("doubtedAt") if asked.get("mirrorUID") == mirror.uid else None
    return datetime.fromisoformat(given) if given else None


def _probe(mirror: MirrorView, approval: ApprovalView) -> MirrorProbe:
    spec = approval.spec
    if spec is None:
        raise ValueError(f"ModelApproval {approval.name} cannot be read")
    small, large = extremes(spec.files)
    return MirrorProbe(
        mirror=mirror.name,
        mirror_uid=mirror.uid,
        generation=mirror.generation,
        approval=approval.name,
        repository=spec.repository,
        revision=spec.revision,
        manifest_digest=spec.manifest_digest,
        large=SampleFile(path=large.path, size=large.size, sha256=large.sha256),
        small=SampleFile(path=small.path, size=small.size, sha256=small.sha256),
    )
