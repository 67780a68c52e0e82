"""The agent's few calls of the API server: follow its own GPUNode, write its status, read a Secret.

Everything else of the agent sees this protocol only; the rights of the chart are exactly these.
"""

import base64
import binascii
from collections.abc import AsyncIterator, Collection
from typing import Protocol

from typing_extensions import override

from escadre import reasons
from escadre.clients.kube import GPU_NODES, SECRETS, Api, Forbidden, Json, NotFound, Selection
from escadre.errors import Refusal
from escadre.names import API_VERSION

__all__ = ["FIELD_MANAGER", "GPUNodeApi", "KubeGPUNode"]

FIELD_MANAGER = "escadre-agent"


class GPUNodeApi(Protocol):
    """What the agent asks of Kubernetes; errors are those of escadre.clients.kube."""

    def follow(self) -> AsyncIterator[Json | None]:
        """The node's GPUNode now and after each change; None when there is none.

        Ends when the server ends the watch; the caller follows again.
        """
        ...

    async def write_status(self, uid: str, status: Json) -> None:
        """Write the whole status of the GPUNode with this uid."""
        ...

    async def secret(self, name: str) -> dict[str, bytes]:
        """A Secret's data; raises Refusal (SecretNotGranted, SecretNotFound)."""
        ...


class KubeGPUNode(GPUNodeApi):
    """The protocol on the real API server.

    Args:
        api: the client.
        node: name of the node, which is also the GPUNode's.
        namespace: where the Secrets are.
        granted: Secrets that the chart lets the agent read; no other is asked for.
    """

    def __init__(self, api: Api, node: str, namespace: str, granted: Collection[str]) -> None:
        self._api = api
        self._node = node
        self._namespace = namespace
        self._granted = granted

    @override
    async def follow(self) -> AsyncIterator[Json | None]:
        selection = Selection(fields=f"metadata.name={self._node}")
        page = await self._api.list_page(GPU_NODES, selection)
        yield page.items[0] if page.items else None
        events = self._api.watch(GPU_NODES, selection, resource_version=page.resource_version)
        try:
            async for event in events:
                if event.type != "BOOKMARK":
                    yield None if event.type == "DELETED" else event.object
        finally:
            await events.aclose()

    @override
    async def write_status(self, uid: str, status: Json) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": "GPUNode",
            "metadata": {"name": self._node, "uid": uid},
            "status": status,
        }
        await self._api.apply(GPU_NODES, body, field_manager=FIELD_MANAGER, subresource="status")

    @override
    async def secret(self, name: str) -> dict[str, bytes]:
        if name not in self._granted:
            raise self._not_granted(name, "is not among")
        try:
            found = await self._api.get(SECRETS, name, namespace=self._namespace)
        except NotFound as error:
            where = f"Secret {self._namespace}/{name} does not exist"
            raise Refusal(reasons.SECRET_NOT_FOUND, f"{where}; the ModelMirror names it") from error
        except Forbidden as error:
            raise self._not_granted(name, "is refused by the API server, though it is among") from (
                error
            )
        try:
            return {key: base64.b64decode(text) for key, text in (found.get("data") or {}).items()}
        except (binascii.Error, TypeError) as error:
            raise Refusal(reasons.SECRET_NOT_FOUND, f"Secret {name} cannot be decoded") from error

    def _not_granted(self, name: str, how: str) -> Refusal:
        listed = ", ".join(sorted(self._granted)) or "none"
        return Refusal(
            reasons.SECRET_NOT_GRANTED,
            f"Secret {self._namespace}/{name}, which the ModelMirror names, {how} those the chart "
            f"grants the agent (agent.mirrorSecrets: {listed})",
        )
