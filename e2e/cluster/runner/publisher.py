"""Writes one pod's status to the API server: the newest wins, nothing is written twice.

One task per pod. A server that is away or slow delays it, never the containers.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from e2e.cluster.api import Api, ApiError

__all__ = ["Publisher"]

_FIRST_RETRY = 0.1
_LAST_RETRY = 3.0


class Publisher:
    """The status writer of one pod."""

    def __init__(self, api: Api, pod: dict[str, Any], build: Callable[[], dict[str, Any]]) -> None:
        metadata = pod["metadata"]
        self._api = api
        self._uid: str = metadata["uid"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        self._build = build
        self._dirty = asyncio.Event()
        self._clean = asyncio.Event()
        self._last: dict[str, Any] | None = None
        self._task = asyncio.create_task(self._follow())

    def touch(self) -> None:
        """Something changed: write it soon."""
        self._clean.clear()
        self._dirty.set()

    async def flushed(self) -> None:
        """Return when everything so far is written, or the pod is gone."""
        await self._clean.wait()

    def close(self) -> None:
        """Write nothing more."""
        self._task.cancel()
        self._clean.set()

    async def _follow(self) -> None:
        retry = _FIRST_RETRY
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            status = self._build()
            if status != self._last:
                try:
                    await self._api.patch(
                        self._path, {"metadata": {"uid": self._uid}, "status": status}
                    )
                except ApiError as error:
                    if _is_lost(error):
                        self._clean.set()
                        return
                    self._dirty.set()
                    await asyncio.sleep(retry)
                    retry = min(_LAST_RETRY, retry * 2)
                    continue
                self._last = status
                retry = _FIRST_RETRY
            if not self._dirty.is_set():
                self._clean.set()


def _is_lost(error: ApiError) -> bool:
    """Whether the pod is deleted, or another of its name stands there by now."""
    return error.status in (404, 422) or (error.status == 409 and "uid" in str(error).lower())
