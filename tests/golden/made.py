"""What the operator makes of one ModelDeployment, with the whole operator between wish and objects.

On the fake API server in virtual time: two nodes with eight GPUs, agents that
pull, a signed approval.
"""

from typing import Any, Final

from tests.controller.operator import Operator
from tests.controller.world import World

from escadre.clients.kube import (
    DEPLOYMENTS,
    GPU_NODES,
    MODEL_DEPLOYMENTS,
    NETWORK_POLICIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    SERVICES,
    Resource,
)

__all__ = ["CHILDREN", "made_of"]

Json = dict[str, Any]
CHILDREN: Final[tuple[Resource, ...]] = (
    SERVICES,
    NETWORK_POLICIES,
    POD_DISRUPTION_BUDGETS,
    PERSISTENT_VOLUMES,
    PERSISTENT_VOLUME_CLAIMS,
    DEPLOYMENTS,
)
# What a server adds to whatever it stores; no reader learns from it.
_STORED: Final = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


async def made_of(wish: Json) -> dict[str, list[Json]]:
    """The objects of each kind once nothing moves any more, and the wish with its status."""
    world = World()
    world.approve("mistral-small-3-2-24b-instruct-2506")
    world.server.put(MODEL_DEPLOYMENTS, wish)
    await Operator.start(world).settle()
    kinds = (MODEL_DEPLOYMENTS, *CHILDREN, GPU_NODES, NODES)
    return {
        resource.kind: [_plain(one, resource) for one in world.server.all(resource)]
        for resource in kinds
    }


def _plain(stored: Json, resource: Resource) -> Json:
    meta = {key: value for key, value in stored["metadata"].items() if key not in _STORED}
    for owner in meta.get("ownerReferences") or []:
        owner["uid"] = "(of its owner)"
    rest = {key: value for key, value in stored.items() if key not in {"metadata", "kind"}}
    if resource in CHILDREN:
        rest.pop("status", None)  # of another controller
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": meta,
        **{key: value for key, value in rest.items() if key != "apiVersion"},
    }
