"""What a forward proxy answers itself, told apart from what the mirror answers. Pure.

Through a tunnel (https) nothing but the answer to CONNECT can be the proxy's. Over plain http the
two look alike unless the proxy signs its own: squid does (``X-Squid-Error``), and RFC 9209 gives
all others a way to (``Proxy-Status`` with ``error``). Used by clients/sources/answer.py.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, Literal

from escadre.clients.sources.errors import MirrorBusy, MirrorUnavailable

__all__ = ["Between", "alike", "may_pass", "proxy_fault", "tunnel_fault"]

# Who can have written an answer: the mirror alone, it through a tunnel, or a proxy as well.
Between = Literal["none", "tunnel", "plain"]

_TUNNEL: Final = re.compile(r"Tunnel connection failed: ([0-9]{3})\b")  # http.client's words
_LOGIN: Final = "the proxy of spec.proxyURL wants credentials, and there are none for it"
_UNNAMED: Final = "a proxy in between wants credentials, which spec.proxyURL does not name"
_RULES: Final = "its own rules refuse this host or port"
_SQUID: Final = re.compile(r"([A-Z][A-Z0-9_]{2,40})\b")
_STATUS: Final = re.compile(r";\s*error\s*=\s*\"?([a-z][a-z0-9_]{2,60})\b")
_TRANSIENT: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500


def may_pass(status: int) -> bool:
    """Whether the same request may succeed a little later."""
    return status in _TRANSIENT or status >= _SERVER_ERROR


def tunnel_fault(message: str, words: str) -> MirrorUnavailable:
    """Of a proxy that answered CONNECT, the status; the phrase behind it is any text of its own."""
    refused = _TUNNEL.match(words)
    if refused is None:
        return MirrorBusy(f"{message}: {words}", transient=True)
    return _refusal(message, int(refused[1]), "")


def proxy_fault(
    message: str, status: int, headers: Mapping[str, str], between: Between
) -> MirrorUnavailable | None:
    """What a proxy itself says in the mirror's place; None for what may be the mirror's own word.

    Args:
        message: which request it was.
        status: of the answer.
        headers: of the answer.
        between: who may have written it.
    """
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        words = _LOGIN if between == "plain" else _UNNAMED
        return MirrorUnavailable(f"{message}: HTTP {status}: {words}")
    if between != "plain":
        return None
    signed = _SQUID.match(headers.get("X-Squid-Error", "")[:100]) or _STATUS.search(
        headers.get("Proxy-Status", "")[:1000]
    )
    if signed is None:
        return None
    return _refusal(f"{message} through spec.proxyURL", status, f" ({signed[1]})")


def _refusal(message: str, status: int, code: str) -> MirrorUnavailable:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return MirrorUnavailable(f"{message}: HTTP {status}: {_LOGIN}")
    if may_pass(status):
        return MirrorBusy(f"{message}: the proxy answers HTTP {status}{code}", transient=True)
    rules = f": {_RULES}" if status == HTTPStatus.FORBIDDEN or not code else ""
    return MirrorUnavailable(f"{message}: the proxy answers HTTP {status}{code}{rules}")


def alike(status: int, between: Between) -> str:
    """What to add to a refusal that a proxy may have spoken as well."""
    if between == "plain" and status == HTTPStatus.FORBIDDEN:
        return "; or the proxy of spec.proxyURL refuses: over plain http the two look alike"
    return ""
