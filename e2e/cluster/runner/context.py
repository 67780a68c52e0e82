"""What every pod of a runner shares: client, folders, image table, back-off, a gate for starts.

Built once by the runner and handed to its pods. It holds no state of any pod.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from e2e.cluster.api import Api
from e2e.cluster.config import RunnerConfig
from e2e.cluster.folders import StateFolder
from e2e.cluster.runner.addressing import AddressPool
from e2e.cluster.runner.events import Events
from e2e.cluster.runner.images import ImageTable

__all__ = ["Context", "is_open"]

_STARTS_AT_ONCE = 8
_OPEN_NAMESPACES = ("escadre-system", "kube-system")
_OPEN_COMPONENTS = ("operator", "agent")


@dataclass(slots=True)
class Context:
    """Shared by all pods of one runner."""

    api: Api
    session: aiohttp.ClientSession
    state: StateFolder
    options: RunnerConfig
    images: ImageTable
    addresses: AddressPool
    fake_addresses: AddressPool
    events: Events
    starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_STARTS_AT_ONCE))


def is_open(pod: dict[str, Any]) -> bool:
    """Whether a pod reaches the API server and Services, or only the pod range.

    Open are the product's own components and what a test labels ``escadre.test/network: full``;
    an engine is closed wherever it runs.
    """
    labels = pod["metadata"].get("labels") or {}
    component = labels.get("escadre.dev/component")
    if component == "engine":
        return False
    return (
        component in _OPEN_COMPONENTS
        or labels.get("escadre.test/network") == "full"
        or pod["metadata"]["namespace"] in _OPEN_NAMESPACES
    )
