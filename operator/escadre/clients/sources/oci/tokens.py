"""What requests to an OCI registry say of who asks: a token of its token service, or Basic.

A registry answers the first request with what it wants (distribution specification, "Token
Authentication Specification"). Its word is not trusted: the scope is ours, and credentials go to
its own host and to hosts that the ModelMirror lists, never from https to http. A token is kept
until the registry refuses it.
"""

import json
import re
import threading
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import MirrorUnavailable, Unauthorized
from escadre.clients.sources.origins import listed_as, origin, shown
from escadre.clients.sources.transport import Transport

__all__ = ["Tokens"]

_MAX_ANSWER: Final = 64 * 1024
_MAX_TOKEN: Final = 16 * 1024
_BEARER: Final = re.compile(r"(?:^|,)\s*bearer\s+(.*)", re.IGNORECASE)
_BASIC: Final = re.compile(r"(?:^|,)\s*basic\b", re.IGNORECASE)
_PARAMETER: Final = re.compile(r'([a-z]+)="([^"]*)"', re.IGNORECASE)


class Tokens:
    """The authorization of one repository in one registry; shared by threads.

    Args:
        registry: URL of the registry.
        name: the repository there; pulling from it is all that is asked for.
        credentials: user and password, or a token that the registry takes as it is; None for
            what anybody may read.
        auth_hosts: ``host`` or ``host:port`` of token services, beside the registry's own.
        service: connections for the token service, which carry the user and password.
    """

    def __init__(
        self,
        registry: str,
        name: str,
        *,
        credentials: Credentials | None,
        auth_hosts: Collection[str],
        service: Transport,
    ) -> None:
        self._registry = registry
        self._name = name
        self._auth_hosts = frozenset(auth_hosts)
        self._service = service
        given = credentials.authorization if credentials else None
        self._basic = given if given and given.startswith("Basic ") else None
        self._fixed = given if given and not self._basic else None
        self._lock = threading.Lock()
        self._current = self._fixed

    @property
    def current(self) -> str | None:
        """What requests say now; compare it with what one said that was refused."""
        return self._current

    def __call__(self, method: str, url: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002 - an Authorize
        """The Authorization header, once the registry has asked for one."""
        return {"Authorization": self._current} if self._current else {}

    def answer(self, refused: Unauthorized, said: str | None) -> None:
        """Make what the registry asks for; afterwards the same request may be sent again.

        Args:
            refused: its answer.
            said: what the request said.

        Raises:
            MirrorError: ``refused`` itself when nothing better can be said, or what went wrong.
        """
        with self._lock:
            if self._current != said:  # another thread has been here
                return
            if self._fixed:
                raise refused
            if wanted := _BEARER.search(refused.challenge):
                self._current = f"Bearer {self._token(dict(_PARAMETER.findall(wanted[1])))}"
            elif _BASIC.search(refused.challenge) and self._basic not in {None, said}:
                self._current = self._basic
            else:
                raise refused

    def _token(self, wanted: Mapping[str, str]) -> str:
        realm = wanted.get("realm", "")
        self._check(realm)
        query = {"service": wanted["service"]} if "service" in wanted else {}
        query["scope"] = f"repository:{self._name}:pull"
        joined = "&" if urlsplit(realm).query else "?"
        url = f"{realm}{joined}{urlencode(query, quote_via=quote)}"
        try:
            given = json.loads(self._service.fetch(url, _MAX_ANSWER).text)
            token = given.get("token") or given["access_token"]
            if token.isascii() and token.isprintable() and len(token) <= _MAX_TOKEN:
                return str(token)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            pass
        raise MirrorUnavailable(f"getting {shown(realm)}: the answer holds no token")

    def _check(self, realm: str) -> None:
        """Credentials go nowhere else."""
        if not _is_url(realm):
            raise MirrorUnavailable(
                f"{shown(self._registry)} wants a token of {realm[:200]!r}, which is no URL"
            )
        own, there = urlsplit(self._registry), urlsplit(realm)
        if own.scheme == "https" and there.scheme != "https":
            raise MirrorUnavailable(
                f"{shown(self._registry)} wants a token of {shown(realm)}: credentials do not go "
                "from https to http"
            )
        allowed = {listed_as(self._registry), *self._auth_hosts}
        if listed_as(realm) not in allowed:
            raise MirrorUnavailable(
                f"{shown(self._registry)} wants a token of {listed_as(realm)[:200]}, which "
                "spec.oci.authHosts does not list: no credentials are sent there"
            )


def _is_url(text: str) -> bool:
    try:
        urlsplit(text).port  # noqa: B018 - raises where it is none
    except ValueError:
        return False
    return bool(re.fullmatch(r"https?://[!-~]{1,2000}", text) and origin(text)[1])
