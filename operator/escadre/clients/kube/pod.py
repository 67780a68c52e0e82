"""The pod's own account: a token, a certificate authority and an address that every pod is given.

Read here and not by the official client, which brings requests, oauthlib and more: that was 17 MB
of each operator and each agent, for three files. The kubelet replaces the token long before it
expires, so it is read again, at most once a minute. Called by `load_connection`; sends nothing.
"""

import os
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from escadre.clients.kube.connection import Connection
from escadre.clients.urls import origin

__all__ = ["TokenFile", "pod_connection"]

_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_FRESH_SECONDS: Final = 60.0


class TokenFile:
    """A token that is replaced from time to time; `authorization` says it as it is now."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._read_at = clock()
        self._token = _filled(path)

    async def authorization(self) -> str:
        """The value of the header; raises OSError when the file cannot be read or says nothing."""
        now = self._clock()
        if now - self._read_at >= _FRESH_SECONDS:
            self._token = _filled(self._path)
            self._read_at = now
        return f"Bearer {self._token}"


def pod_connection(
    account: Path = _ACCOUNT, environment: Mapping[str, str] = os.environ
) -> Connection:
    """To the API server of the cluster that this pod is in; raises OSError with what is missing."""
    token = TokenFile(account / "token")
    authority = account / "ca.crt"
    _filled(authority)  # with an empty one, any authority that the system knows would do
    return Connection(
        host=_server(environment),
        authorization=token.authorization,
        tls=ssl.create_default_context(cafile=str(authority)),
        namespace=_namespace(account / "namespace"),
    )


def _server(environment: Mapping[str, str]) -> str:
    host, port = (environment.get(f"KUBERNETES_SERVICE_{one}", "") for one in ("HOST", "PORT"))
    if not (host and port):
        raise OSError("KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is not set, or empty")
    return origin("https", host, port)


def _filled(path: Path) -> str:
    text = path.read_bytes().decode(errors="replace").strip()
    if not text:
        raise OSError(f"{path} is empty")
    return text


def _namespace(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
