"""Deletes a pod's object at the end of its grace: only this pod's, and until it is gone."""

import asyncio
from typing import Any

from e2e.cluster.api import Api, ApiError

__all__ = ["delete_object"]

_FIRST_RETRY = 0.1
_LAST_RETRY = 3.0


async def delete_object(api: Api, pod: dict[str, Any]) -> None:
    """DELETE with grace 0 and the uid as precondition, again while the server is away."""
    metadata = pod["metadata"]
    path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": metadata["uid"]},
    }
    retry = _FIRST_RETRY
    while True:
        try:
            await api.delete(path, options)
        except ApiError as error:
            if error.status in (404, 409):
                return
            await asyncio.sleep(retry)
            retry = min(_LAST_RETRY, retry * 2)
        else:
            return
