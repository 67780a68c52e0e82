"""Where the API server is and how we prove who we are: what a request needs of either.

Made at a process's start by `load_connection` (connecting.py), from a kubeconfig or from the pod's
own account; used by `KubeApi` and by the session that kopf gets. Sends nothing.
"""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from escadre.errors import EscadreError

__all__ = ["Authorize", "Connection", "ConnectionUnknown"]

# The value of the Authorization header as it is now, None without one. What cannot be read is an
# OSError.
Authorize = Callable[[], Awaitable[str | None]]


class ConnectionUnknown(EscadreError):
    """No usable kubeconfig and no service account: the message says what was tried."""


async def _nobody() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Connection:
    """One server and our credentials for it."""

    host: str  # base URL
    authorization: Authorize = _nobody
    tls: ssl.SSLContext | None = None  # None for plain HTTP (tests)
    namespace: str | None = None  # the pod's own or the context's, if it names one
    proxy: str | None = None
    server_name: str | None = None  # that the certificate must bear, when it is not the host's
