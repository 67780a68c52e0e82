"""Reads what a bundle holds, with the rights of whoever asks for it. Writes nothing.

Never asks for a Secret, and never for the log of an engine, where a user's words may stand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from escadre import __version__
from escadre.cli.shared.session import Environment, Session
from escadre.cli.support.found import (
    CHILDREN,
    INSTALLED,
    OURS,
    PROCESSES,
    Found,
    of_interest,
    trimmed_node,
)
from escadre.cli.support.reader import Reader
from escadre.cli.support.views import add_views
from escadre.clients.kube import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    GPU_NODES,
    LEASES,
    MODEL_APPROVALS,
    MODEL_DEPLOYMENTS,
    MODEL_MIRRORS,
    MODEL_SIGNATURES,
    NETWORK_POLICIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    PODS,
    SERVICES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Forbidden,
    Json,
    Tail,
)
from escadre.names import API_VERSION, LABEL_COMPONENT, LEASE_NAME

__all__ = ["LOGGED", "Scope", "gather"]

LOGGED: Final = 60  # pods whose logs are taken
_CHILDREN: Final = (
    DEPLOYMENTS,
    SERVICES,
    PERSISTENT_VOLUME_CLAIMS,
    POD_DISRUPTION_BUDGETS,
    NETWORK_POLICIES,
)
_SETTINGS: Final = ("escadre", "config.yaml")  # a ConfigMap of the chart, and its file


@dataclass(frozen=True, slots=True)
class Scope:
    """What to read: ``only`` this namespace, or all; ``system`` is where the operator runs."""

    only: str | None
    system: str
    lines: int


async def gather(environment: Environment, session: Session, scope: Scope, reader: Reader) -> Found:
    """All of it. Raises ApiError when the cluster does not answer at all."""
    found = Found(versions=await _versions(session, reader))
    homes = [scope.only] if scope.only else [session.namespace]

    async def read(resource: Any, labels: str | None = None) -> list[Json]:
        if scope.only and resource.namespaced:
            return await reader.within(resource, homes, labels)
        return await reader.everywhere(resource, homes, labels)

    for resource in (
        MODEL_DEPLOYMENTS,
        MODEL_APPROVALS,
        MODEL_SIGNATURES,
        MODEL_MIRRORS,
        GPU_NODES,
    ):
        found.objects[resource.plural] = await read(resource)
    found.objects["nodes"] = [trimmed_node(one) for one in await read(NODES)]
    found.objects["persistentvolumes"] = await read(PERSISTENT_VOLUMES, CHILDREN)
    for resource in _CHILDREN:
        found.objects[resource.plural] = await read(resource, CHILDREN)
    found.objects["pods"] = await read(PODS, OURS)
    await _system(found, scope, reader)
    await _events(found, scope, reader)
    await _logs(found, scope, reader)
    await add_views(environment, session, scope.system, found, reader)
    return found


async def _versions(session: Session, reader: Reader) -> dict[str, Any]:
    """Also the proof that there is a cluster to ask."""
    known: dict[str, Any] = {"escadre": __version__, "api": API_VERSION}
    try:
        known["cluster"] = await session.api.version()
    except Forbidden as error:
        reader.miss("the cluster's version", str(error))
    return known


async def _system(found: Found, scope: Scope, reader: Reader) -> None:
    """The operator's own namespace, which ``only`` does not leave out."""
    if scope.only and scope.only != scope.system:
        found.objects["pods"] += await reader.within(PODS, [scope.system], OURS)
    found.objects["deployments"] += await reader.within(DEPLOYMENTS, [scope.system], INSTALLED)
    for kind in (VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS):
        found.objects[kind.plural] = await reader.everywhere(kind, (), INSTALLED)
    lease = await reader.one(LEASES, LEASE_NAME, scope.system)
    found.objects["leases"] = [lease] if lease else []
    name, file = _SETTINGS
    settings = await reader.one(CONFIG_MAPS, name, scope.system)
    found.settings = str(((settings or {}).get("data") or {}).get(file, ""))
    images = {
        (status.get("name", ""), status.get("image", ""), status.get("imageID", ""))
        for pod in found.of("pods")
        for status in (pod.get("status") or {}).get("containerStatuses") or []
    }
    found.versions["images"] = [
        {"container": container, "image": image, "imageID": id_}
        for container, image, id_ in sorted(images)
    ]


async def _events(found: Found, scope: Scope, reader: Reader) -> None:
    """Of the deployments' namespaces, the operator's, and ``default``: of what has none."""
    spaces = {namespace for namespace, _ in found.names} | {scope.system, "default"}
    events = await reader.within(EVENTS, sorted(spaces))
    found.objects["events"] = [one for one in events if of_interest(one, found, scope.system)]


async def _logs(found: Found, scope: Scope, reader: Reader) -> None:
    pods = [pod for pod in found.of("pods") if _component(pod) in PROCESSES]
    pods.sort(key=lambda pod: (_component(pod) != "operator", pod["metadata"]["name"]))
    if len(pods) > LOGGED:
        reader.miss(f"logs of {len(pods) - LOGGED} more pods", "the bundle's own limit")
    texts = await asyncio.gather(*(_of_pod(pod, scope, reader) for pod in pods[:LOGGED]))
    for each in texts:
        found.logs.update(each)


async def _of_pod(pod: Json, scope: Scope, reader: Reader) -> dict[str, str]:
    meta, texts = pod["metadata"], {}
    for name, restarts in _containers(pod):
        for previous in (False, True) if restarts else (False,):
            text = await reader.log(pod, name, Tail(lines=scope.lines, previous=previous))
            if text is not None:
                end = ".previous.log" if previous else ".log"
                texts[f"{meta['namespace']}/{meta['name']}/{name}{end}"] = text
    return texts


def _containers(pod: Json) -> Sequence[tuple[str, int]]:
    """Each container, and how often it was started again."""
    told = {
        one.get("name", ""): int(one.get("restartCount") or 0)
        for one in (pod.get("status") or {}).get("containerStatuses") or []
    }
    return [
        (one["name"], told.get(one["name"], 0))
        for one in (pod.get("spec") or {}).get("containers") or []
    ]


def _component(pod: Json) -> str:
    label: str = (pod["metadata"].get("labels") or {}).get(LABEL_COMPONENT, "")
    return label
