"""Where the API server is and how we prove who we are.

Reads kubeconfig or the pod's own service account through ``kubernetes.aio.config`` and hands the
two things a request needs to `KubeApi`: a TLS context and, per request, the Authorization header
(the hook of the configuration re-reads rotated tokens, at most once a minute). Called by the
processes' start; sends nothing.

The library writes keys and certificates that stand in the kubeconfig itself to files of its own,
and removes them when the interpreter ends in good order. They are read into the TLS context here
and removed at once, so that no end of the process, however sudden, leaves a private key behind.
"""

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kubernetes.aio import config as kube_config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import kube_config as kube_config_files

from escadre.errors import EscadreError

__all__ = ["Connection", "ConnectionUnknown", "load_connection"]

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class ConnectionUnknown(EscadreError):
    """No usable kubeconfig and no service account: the message says what was tried."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A loaded configuration; ``namespace`` is the pod's own or the context's, if it names one.

    ``tls`` is made at once, as the configuration asks for it; None for plain HTTP (tests).
    """

    configuration: Any
    namespace: str | None = None
    tls: ssl.SSLContext | None = field(init=False)

    def __post_init__(self) -> None:
        """Reads keys and certificates, whose files need not outlive this."""
        object.__setattr__(self, "tls", _tls(self.configuration) if self._encrypted else None)

    @property
    def host(self) -> str:
        """Base URL of the API server."""
        return str(self.configuration.host).rstrip("/")

    @property
    def proxy(self) -> str | None:
        """Proxy from the kubeconfig, if any."""
        proxy = self.configuration.proxy
        return str(proxy) if proxy else None

    @property
    def server_name(self) -> str | None:
        """Name that the server's certificate must bear, when it is not the host's."""
        name = self.configuration.tls_server_name
        return str(name) if name else None

    @property
    def _encrypted(self) -> bool:
        return self.host.startswith("https://")

    async def authorization(self) -> str | None:
        """Value of the Authorization header, refreshed if the token has been rotated."""
        settings = self.configuration
        if "BearerToken" not in settings.api_key and "authorization" not in settings.api_key:
            return None
        value = await settings.get_api_key_with_prefix("BearerToken", alias="authorization")
        return str(value) if value else None


async def load_connection(
    *, kubeconfig: str | None = None, context: str | None = None
) -> Connection:
    """Load a kubeconfig (given, ``$KUBECONFIG`` or the default), or the pod's own account.

    The pod's account is taken when nothing was asked for and the process runs in a pod.
    """
    wanted = kubeconfig or os.environ.get("KUBECONFIG") or None
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ
    try:
        if wanted is None and context is None and in_pod:
            settings = Configuration()
            kube_config.load_incluster_config(client_configuration=settings)
            return Connection(settings, _pod_namespace())
        return await _from_kubeconfig(wanted or kube_config.KUBE_CONFIG_DEFAULT_LOCATION, context)
    except (kube_config.ConfigException, OSError) as error:
        what = "the pod's service account" if wanted is None and in_pod else "the kubeconfig"
        raise ConnectionUnknown(
            f"loading {what}: {error}; name a kubeconfig with --kubeconfig or $KUBECONFIG"
        ) from error


async def _from_kubeconfig(path: str, context: str | None) -> Connection:
    _need_a_file(path)
    if context is not None:
        _need_context(path, context)
    settings = Configuration()
    try:
        loader = await kube_config.load_kube_config(
            config_file=path, context=context, client_configuration=settings, persist_config=False
        )
        chosen = loader.current_context.get("context") or {}
        return Connection(settings, chosen.get("namespace"))
    finally:
        # Private, but the one way that also makes the library forget the files: it would hand
        # out their names again to whoever loads the same kubeconfig a second time.
        kube_config_files._cleanup_temp_files()  # noqa: SLF001 - see above


def _need_a_file(path: str) -> None:
    """The library says of a missing file only that it lacks a current-context."""
    places = [Path(each).expanduser() for each in path.split(os.pathsep) if each]
    if not any(each.exists() for each in places):
        raise FileNotFoundError(f"{path} does not exist")


def _need_context(path: str, name: str) -> None:
    """The library says of an unknown context only that a list lacks an object of that name."""
    merged = kube_config_files.KubeConfigMerger(path).config
    known = sorted(str(each["name"]) for each in merged["contexts"].value)
    if name not in known:
        there = f"its contexts are: {', '.join(known)}" if known else "it has no context at all"
        raise ConnectionUnknown(f"--context {name}: {path} has no context of that name; {there}")


def _tls(settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, keyfile=settings.key_file)
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _pod_namespace() -> str | None:
    try:
        return _POD_NAMESPACE.read_text().strip() or None
    except FileNotFoundError:
        return None
