"""Makes connections to mirrors: the one place where a name becomes an address and is connected to.

Each address is checked and then connected to itself; nothing is resolved twice. Proxies come from
the ModelMirror and never from the environment; through one, it is the proxy's address that is
checked, for only the proxy resolves the mirror's name. Used by clients/sources/transport.py.
"""

import logging
import socket
import ssl
from typing import Any, ClassVar

import urllib3
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from escadre.clients.sources.errors import AddressRefused
from escadre.clients.sources.guard import Guard

__all__ = ["connections"]

# The library warns of odd headers with the whole URL, which a signature may be part of. What
# matters is raised, and told without a query.
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


def connections(
    guard: Guard,
    *,
    context: ssl.SSLContext,
    proxy: tuple[str, ssl.SSLContext] | None,
    kept: int,
) -> urllib3.PoolManager:
    """Pools of guarded connections.

    Args:
        guard: asked before each connection.
        context: of TLS to the mirror.
        proxy: URL of a forward proxy, and TLS to that where it speaks https itself.
        kept: how many connections to one host are kept open.
    """
    options: dict[str, Any] = {"maxsize": kept, "retries": False, "ssl_context": context}
    if proxy:
        url, own = proxy
        manager: urllib3.PoolManager = urllib3.ProxyManager(url, proxy_ssl_context=own, **options)
    else:
        manager = urllib3.PoolManager(**options)
    plain = type("_Plain", (_Plain,), {"guard": guard})
    tls = type("_Tls", (_Tls,), {"guard": guard})
    manager.pool_classes_by_scheme = {
        "http": type("_Pool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("_TlsPool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": tls}),
    }
    return manager


class _Plain(HTTPConnection):
    guard: ClassVar[Guard]

    @override
    def _new_conn(self) -> socket.socket:
        return _dial(self, self.guard)


class _Tls(HTTPSConnection):
    guard: ClassVar[Guard]

    @override
    def _new_conn(self) -> socket.socket:
        return _dial(self, self.guard)


def _dial(connection: HTTPConnection, guard: Guard) -> socket.socket:
    """A connection to the first address of the host that may be reached and answers."""
    host = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        fault = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
        raise NameResolutionError(host, connection, fault) from error
    refusal: AddressRefused | None = None
    last: OSError = OSError(f"{host} has no address")
    for *_, address in found:
        numeric = str(address[0])
        try:
            guard.check(host, numeric)
            return create_connection(
                (numeric, connection.port),
                connection.timeout,
                socket_options=connection.socket_options,
            )
        except AddressRefused as error:
            refusal = error
        except OSError as error:
            last = error
            refusal = None
    raise refusal or _fault(connection, host, last) from last


def _fault(connection: HTTPConnection, host: str, error: OSError) -> Exception:
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(connection, f"no connection within {connection.timeout} s")
    return NewConnectionError(connection, f"connecting to {host}: {error}")
