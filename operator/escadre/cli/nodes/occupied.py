"""Who holds what on each node, from what the nodes' agents and the deployments tell. Pure.

GPUs are counted as the planner does: what replicas hold or were given, and what other pods request,
as far as the user may see them. `escadre nodes` shows it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from escadre.api.gpunode import GPUNodeStatus, NodeWeights
from escadre.api.wire import read
from escadre.cli.shared.deployed import Deployed
from escadre.clients.kube import Json
from escadre.core.facts.node import NodeFacts

__all__ = ["NodeLine", "node_lines"]


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node; ``usable`` are GPUs that can be planned with, None when nothing is known of them.

    ``problems`` are reason and words of what does not hold there.
    """

    name: str
    product: str
    usable: int | None
    total: int
    foreign: int
    holders: tuple[tuple[str, int], ...]
    status: GPUNodeStatus
    problems: tuple[tuple[str, str], ...]

    @property
    def free(self) -> int | None:
        """GPUs that nothing holds; None when that is not known."""
        if self.usable is None:
            return None
        return max(0, self.usable - self.foreign - sum(gpus for _, gpus in self.holders))

    @property
    def weights(self) -> list[NodeWeights]:
        """What the node holds of weights, or pulls."""
        return self.status.weights


def node_lines(
    gpunodes: Iterable[Json], nodes: Sequence[NodeFacts], deployments: Iterable[Deployed]
) -> list[NodeLine]:
    """A line for each GPUNode, by name."""
    facts, held = {one.name: one for one in nodes}, _held(deployments)
    found = [_line(each, facts, held) for each in gpunodes]
    return sorted(found, key=lambda one: one.name)


def _held(deployments: Iterable[Deployed]) -> dict[str, dict[str, int]]:
    held: dict[str, dict[str, int]] = {}
    for each in deployments:
        status = each.status
        planned = status.plan.gpus if status.plan else 0
        for item in status.replicas.items if status.replicas else ():
            gpus = item.gpus or planned  # an operator before 0.2 does not tell
            if not item.node or not gpus:
                continue
            holders = held.setdefault(item.node, {})
            name = f"{each.namespace}/{each.name}"
            holders[name] = holders.get(name, 0) + gpus
    return held


def _line(
    body: Json, facts: Mapping[str, NodeFacts], held: Mapping[str, Mapping[str, int]]
) -> NodeLine:
    name = body["metadata"]["name"]
    status, known = read(GPUNodeStatus, body.get("status")), facts.get(name)
    first = status.gpus[0].product if status.gpus else ""
    holders = held.get(name, {}).items()
    return NodeLine(
        name=name,
        product=known.product if known else first,
        usable=known.gpus if known else None,
        total=len(status.gpus) or (known.gpus if known else 0),
        foreign=known.gpus_foreign if known else 0,
        holders=tuple(sorted(holders, key=lambda one: (-one[1], one[0]))),
        status=status,
        problems=tuple(_problems(status, known)),
    )


def _problems(status: GPUNodeStatus, known: NodeFacts | None) -> Iterable[tuple[str, str]]:
    for one in status.conditions:
        if one.status != "True":
            yield one.reason.name, one.message
    if known and known.unbelieved:
        yield known.unbelieved.reason.name, known.unbelieved.message
    if known and known.blocked:
        yield "closed", known.blocked
    for entry in status.weights:
        if entry.state == "Failed" and entry.reason:
            yield entry.reason.name, entry.message
