"""Deletes what an owner no longer wants, and the volumes of owners that vanished."""

from escadre.clients.kube import (
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    Api,
    Guard,
    NotFound,
    Resource,
)
from escadre.machinery.compact import Compact
from escadre.names import LABEL_OWNER_UID
from escadre.state.caches import Caches
from escadre.state.views import DeploymentView

__all__ = ["prune", "prune_orphans"]


async def prune(
    api: Api, caches: Caches, view: DeploymentView, claims: set[str], volumes: set[str]
) -> None:
    """Claims and volumes of a living owner for weights that nothing runs or will run."""
    for claim in caches.claims.by("deployment", (view.namespace, view.name)):
        if claim.controller_uid == view.uid and claim.name not in claims:
            await _delete(api, PERSISTENT_VOLUME_CLAIMS, claim)
    for volume in caches.volumes.by("owner", (view.namespace, view.name)):
        if volume.labels.get(LABEL_OWNER_UID) != view.uid or volume.name not in volumes:
            await _delete(api, PERSISTENT_VOLUMES, volume)


async def prune_orphans(api: Api, caches: Caches, namespace: str, name: str) -> None:
    """Volumes of an owner that is gone: being cluster-scoped, they have no owner reference."""
    for volume in caches.volumes.by("owner", (namespace, name)):
        await _delete(api, PERSISTENT_VOLUMES, volume)


async def _delete(api: Api, resource: Resource, one: Compact) -> None:
    if one.terminating:
        return
    try:
        await api.delete(
            resource, one.name, namespace=one.namespace or None, guard=Guard(uid=one.uid)
        )
    except NotFound:
        return  # gone meanwhile
