"""kopf as the shell around the controller: login and watch of the custom resources.

Its handlers are raw events that only put a key on the queue: no annotations, finalizers or diffs
on users' objects, and nothing written (measured in docs/develop/decisions.md).
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

import kopf

from escadre.controller.keys import Key, approval_key, deployment_key, node_key
from escadre.errors import Retryable
from escadre.names import GROUP, VERSION

__all__ = ["Shell"]

_STOP_SECONDS: Final = 5.0

Wake = Callable[[Key], None]


def _registry(wake: Wake) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**context: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**context) or kopf.login_with_kubeconfig(**context)

    def on(plural: str, key: Callable[[str, str], Key]) -> None:
        @kopf.on.event(GROUP, VERSION, plural, registry=registry, id=plural)
        async def changed(
            event: kopf.RawEvent,
            namespace: str | None,
            name: str,
            meta: kopf.Meta,
            memo: kopf.Memo,
            **_: Any,
        ) -> None:
            # Statuses are ours or come through the informers: a user's edit has a new generation.
            seen = (meta.get("uid"), meta.get("generation"), meta.get("deletionTimestamp"))
            if event["type"] == "MODIFIED" and memo.get("seen") == seen:
                return
            memo["seen"] = seen
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
    settings.watching.chunk_size = 50
    settings.networking.request_timeout = 30
    settings.process.ultimate_exiting_timeout = 20
    return settings


class Shell:
    """kopf in a thread and loop of its own.

    When it stops it cancels every task of its loop that it does not know, and ours must outlive it
    to finish their last write and release the Lease.
    """

    def __init__(self, wake: Wake) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._ended = asyncio.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="kopf", daemon=True)

    async def run(self) -> None:
        """Until cancelled; raises when kopf ends by itself, which it must not."""
        # It says that it leaves the signals alone, which is as it should be.
        logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
        self._thread.start()
        try:
            await self._ended.wait()
        finally:
            self._stop.set()
            await asyncio.to_thread(self._thread.join, _STOP_SECONDS)
        raise Retryable(f"watching the custom resources: kopf ended: {self._failure or 'no error'}")

    def _run(self) -> None:
        def wake(key: Key) -> None:
            self._loop.call_soon_threadsafe(self._wake, key)

        identity: Any = "escadre"
        try:
            asyncio.run(
                kopf.operator(
                    registry=_registry(wake),
                    settings=_settings(),
                    clusterwide=True,
                    standalone=True,
                    # Made up from the user's name otherwise, which a container's uid has not.
                    identity=identity,
                    ready_flag=self._ready,
                    stop_flag=self._stop,
                )
            )
        except Exception as error:  # noqa: BLE001 - handed to the main loop, which ends the process
            self._failure = error
        finally:
            with contextlib.suppress(RuntimeError):  # the main loop is closed: nobody waits
                self._loop.call_soon_threadsafe(self._ended.set)
