"""kopf as the shell of the process: login, watch of the custom resources, signals.

Its handlers are raw events that only put a key on the queue: no annotations, finalizers or diffs
on users' objects, and nothing written (measured in docs/decisions.md).
"""

import asyncio
from collections.abc import Callable
from typing import Any

import kopf

from escadre.controller.keys import Key, approval_key, deployment_key, node_key
from escadre.names import GROUP, VERSION

__all__ = ["run_shell"]

Wake = Callable[[Key], None]


def _registry(wake: Wake) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**context: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)

    def on(plural: str, key: Callable[[str, str], Key]) -> None:
        @kopf.on.event(GROUP, VERSION, plural, registry=registry, id=plural)
        async def changed(namespace: str | None, name: str, **_: Any) -> None:
            wake(key(namespace or "", name))

    on("modeldeployments", deployment_key)
    on("modelapprovals", lambda _, name: approval_key(name))
    on("gpunodes", lambda _, name: node_key(name))
    return registry


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # kinds are known; saves watches and rights
    settings.peering.standalone = True  # a Lease elects the leader
    settings.posting.enabled = False  # events have their own recorder
    settings.queueing.idle_timeout = 0.5
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.process.ultimate_exiting_timeout = 20
    return settings


async def run_shell(wake: Wake, *, ready: asyncio.Event, stop: asyncio.Event) -> None:
    """Runs kopf until ``stop`` is set or a signal comes; returns when its watches ended."""
    await kopf.operator(
        registry=_registry(wake),
        settings=_settings(),
        clusterwide=True,
        standalone=True,
        ready_flag=ready,
        stop_flag=stop,
    )
