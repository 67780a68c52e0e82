"""A connection as a kubeconfig describes it, read by the official client.

Imported only when a kubeconfig is loaded: the client holds 17 MB. Called by `load_connection`;
sends nothing by itself.

The library writes keys and certificates that stand in the kubeconfig itself to files of its own,
and removes them when the interpreter ends in good order. They are read into the TLS context here
and removed at once, so that no end of the process, however sudden, leaves a private key behind.

It keeps the names of those files for the whole process and locks nothing, and the operator's
election has a thread of its own: whoever uses it does so alone.
"""

import ast
import asyncio
import logging
import os
import re
import ssl
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import kube_config as files
from typing_extensions import override

from escadre.clients.kube.connection import Authorize, Connection, ConnectionUnknown

__all__ = ["connect"]

_BYTES = re.compile(r"\bb(['\"]).*\1$")  # how the library writes what a plugin said
_ENTRY = re.compile(r"/\{.*\}", re.DOTALL)  # and an entry of the file: by all that is in it
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300  # characters that are shown of what a plugin says
_USED: Final = threading.Lock()
_LOOK_SECONDS: Final = 0.01
_EXPIRY: Final = "exec_plugin_expiry"
_OTHERWISE = (AttributeError, IndexError, KeyError, TypeError, ValueError, yaml.YAMLError)


async def connect(path: str | None, context: str | None) -> Connection:
    """The server and user of a context, by default the current one; raises what it lacks."""
    path = path or config.KUBE_CONFIG_DEFAULT_LOCATION
    _need_a_file(path)
    settings = Configuration()
    try:
        if context is not None:
            _need_context(path, context)
        async with _alone() as refused:
            loader = await config.load_kube_config(
                config_file=path,
                context=context,
                client_configuration=settings,
                persist_config=False,
            )
            if refused:
                raise ConnectionUnknown(f"{path}: {_not_had(refused)}")
            chosen = loader.current_context.get("context") or {}
            _need_an_address(getattr(loader, "host", None), f"{path}: cluster {chosen['cluster']}")
            return _connection(settings, loader, chosen.get("namespace"))
    except config.ConfigException as error:
        raise OSError(_told(error)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}" if mark else ""
        raise OSError(f"{path}{at}: not YAML: {error.problem}") from error
    except _OTHERWISE as error:  # the library takes the layout of the file for granted
        raise OSError(
            f"{path} is not laid out as kubectl writes it ({_told(error)}); kubectl config view "
            "shows it"
        ) from error


@asynccontextmanager
async def _alone() -> AsyncIterator[list[str]]:
    """Nobody else of this process uses the library, on whatever thread; what it logs meanwhile.

    Its files are gone at the end.
    """
    # A wait in a thread would take it also for who was cancelled meanwhile.
    while not _USED.acquire(blocking=False):  # noqa: ASYNC110 - an event serves one loop
        await asyncio.sleep(_LOOK_SECONDS)
    try:
        with _refusals() as refused:
            yield refused
    finally:
        # Private, but the one way that also makes the library forget the files: it would hand
        # out their names again to whoever loads the same kubeconfig a second time.
        files._cleanup_temp_files()  # noqa: SLF001 - see above
        _USED.release()


def _not_had(refused: Sequence[str]) -> str:
    return (
        f"the user's credentials cannot be had: {refused[0]}; log in again as the plugin wants it"
    )


def _as_text(literal: re.Match[str]) -> str:
    try:
        said: bytes = ast.literal_eval(literal[0])
    except (SyntaxError, ValueError):  # other words that look like it
        return literal[0]
    return said.decode(errors="replace")


def _by_names(words: str) -> str:
    """What the library says, without the tokens and keys of the entries that it is about."""
    return _ENTRY.sub(_as_name, words)


def _as_name(entry: re.Match[str]) -> str:
    try:
        return f"[name={ast.literal_eval(entry[0][1:])['name']}]"
    except (KeyError, SyntaxError, TypeError, ValueError):
        return "[...]"


def _told(error: Exception) -> str:
    """What the library says, in one line and without any secret."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return _by_names(str(error)).partition("\n")[0]


class _Heard(logging.Handler):
    """Keeps what is logged, a line each."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.said: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        words = _BYTES.sub(_as_text, _by_names(record.getMessage()))
        shown = "".join(one if one.isprintable() else " " for one in _COLOUR.sub("", words))
        self.said.append(" ".join(shown.split())[:_LONGEST])


@contextmanager
def _refusals() -> Iterator[list[str]]:
    """What the library only logs: of a credential plugin that failed, and goes on without."""
    handler = _Heard(logging.ERROR)
    spread = files.logger.propagate
    files.logger.addHandler(handler)
    files.logger.propagate = False
    try:
        yield handler.said
    finally:
        files.logger.propagate = spread
        files.logger.removeHandler(handler)


def _need_a_file(path: str) -> None:
    """The library says of a missing file only that it lacks a current-context, of none what."""
    places = [Path(each).expanduser() for each in path.split(os.pathsep) if each]
    there = [each for each in places if each.exists()]
    if not there:
        raise FileNotFoundError(f"{path} does not exist")
    for each in there:
        if each.is_dir():
            raise IsADirectoryError(f"{each} is a folder, no file")
        if each.is_file() and not each.read_bytes().strip():  # a pipe is read once
            raise OSError(f"{each} is empty")


def _need_an_address(server: str | None, where: str) -> None:
    """Without any the library goes to localhost; one with a password is nobody else's to read."""
    if not server:
        raise ConnectionUnknown(f"{where} has no server")
    parts = urlsplit(server)
    if parts.username is not None:
        raise ConnectionUnknown(f"{where}: a user name in its server belongs among the users")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConnectionUnknown(f"{where}: its server {server} is no https://HOST:PORT")


def _need_context(path: str, name: str) -> None:
    """The library says of an unknown context only that a list lacks an object of that name."""
    merged = files.KubeConfigMerger(path).config
    known = sorted(str(each["name"]) for each in merged["contexts"].value)
    if name not in known:
        there = f"its contexts are: {', '.join(known)}" if known else "it has no context at all"
        raise ConnectionUnknown(f"--context {name}: {path} has no context of that name; {there}")


def _connection(settings: Any, loader: Any, namespace: str | None) -> Connection:
    host = str(settings.host).rstrip("/")
    return Connection(
        host=host,
        authorization=_authorize(loader),
        tls=_tls(settings) if host.startswith("https://") else None,
        namespace=namespace,
        proxy=settings.proxy or None,
        server_name=settings.tls_server_name or None,
    )


def _authorize(loader: Any) -> Authorize:
    """The token as it is now: a plugin's is asked for anew once it has ended, a file read again.

    The library does so in its other half alone (findings/kubernetes-aio-token-not-renewed.sh), and
    there five minutes early: for as long a plugin that keeps its token would run at each request. A
    token for which a plugin says no end stays, as for kubectl, and so does a certificate.
    """

    async def authorization() -> str | None:
        if not _stays(loader):
            await _renew(loader)
        token = getattr(loader, "token", None)
        return None if token is None else str(token).strip()

    return authorization


def _stays(loader: Any) -> bool:
    user = loader._user  # noqa: SLF001 - nothing public tells it
    if not user or not any(one in user for one in ("auth-provider", "exec", "tokenFile")):
        return True  # what stands in the kubeconfig itself
    if "exec" not in user:
        return False
    ends = getattr(loader, _EXPIRY, None)
    return ends is None or ends > datetime.now(UTC)


async def _renew(loader: Any) -> None:
    """Raises OSError where it cannot be had; the library goes on with what has ended."""
    try:
        async with _alone() as refused:
            if _stays(loader):
                return  # somebody else of this connection waited for it, too
            before = getattr(loader, _EXPIRY, None)
            await loader._load_authentication()  # noqa: SLF001 - without the keys, as load_and_set
            if refused:
                raise OSError(_not_had(refused))
            if before is not None and getattr(loader, _EXPIRY) is before:
                delattr(loader, _EXPIRY)  # of the token before; this one has no end
    except (config.ConfigException, *_OTHERWISE) as error:
        raise OSError(_told(error)) from error


def _tls(settings: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, keyfile=settings.key_file)
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
