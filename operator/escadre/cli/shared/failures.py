"""Errors as their reader sees them: one line or two on standard error, and an exit code.

The one place of the CLI that knows the exceptions of the client. Called by answering.py.
"""

import errno

from escadre.clients.kube import (
    NO_API_SERVER,
    OURS,
    ApiError,
    ConnectionUnknown,
    Forbidden,
    NotFound,
    ServerUnavailable,
    Unauthorized,
)
from escadre.errors import EscadreError, Refusal

__all__ = [
    "API_FAILED",
    "NOT_READY",
    "OK",
    "REFUSED",
    "USAGE",
    "BadInput",
    "explain",
    "is_kind_missing",
    "told",
]

OK = 0
NOT_READY = 1
USAGE = 2
REFUSED = 3
API_FAILED = 4

_UNWRITTEN = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})
_OURS = frozenset(word for one in OURS for word in (one.kind, one.plural))
_NOT_FOUND = 404
_OTHER, _ERRORS = 300, 400  # between them it is sent elsewhere
_KIND_MISSING = ("could not find the requested resource", "page not found")


class BadInput(EscadreError):
    """What was given on the command line cannot be read or is not known; wrong use, no refusal."""


def is_kind_missing(error: ApiError) -> bool:
    """Whether the API server does not know the kind at all (not: has no such object)."""
    return error.status == _NOT_FOUND and any(words in error.message for words in _KIND_MISSING)


def told(refusal: Refusal) -> str:
    """Its reason and message, and of a mirror that wants to be left alone for how long."""
    delay = getattr(refusal, "delay", None)
    wait = f"; it asks to be left alone for {delay:,.0f} s" if delay else ""
    return f"{refusal.reason}: {refusal.message}{wait}"


def explain(error: Exception) -> tuple[int, str]:
    """Exit code and message for ``error``; the message is "" for one that nobody expected."""
    if isinstance(error, BadInput):
        return USAGE, str(error)
    if isinstance(error, Refusal):
        step = f"\nnext: {error.reason.next_step}" if error.reason.next_step else ""
        return REFUSED, f"{told(error)}{step}"
    if isinstance(error, ConnectionUnknown):
        return API_FAILED, str(error)
    if isinstance(error, ApiError):
        return API_FAILED, _api(error)
    if isinstance(error, EscadreError):
        return REFUSED, str(error)
    if isinstance(error, OSError) and error.errno in _UNWRITTEN:
        return NOT_READY, f"the answer cannot be written: {error.strerror}"
    return NOT_READY, ""


def _api(error: ApiError) -> str:
    if is_kind_missing(error):
        return _kind_missing(error)
    if isinstance(error, Unauthorized):
        return f"{error}\nnext: log in again; the credentials of the kubeconfig are not accepted"
    if isinstance(error, Forbidden):
        return (
            f"{error}\nnext: ask an administrator of the cluster for that verb on that resource; "
            "docs/operate/install.md lists what each role may"
        )
    if _is_elsewhere(error):
        return f"{error}\nnext: check the address in the kubeconfig: no API server answers there"
    if isinstance(error, ServerUnavailable):
        return f"{error}\nnext: check that the address in the kubeconfig answers from here"
    if isinstance(error, NotFound):
        return (
            f"{error.object} does not exist: {error.message or 'so the API server says'}\n"
            "next: check the name, its namespace (-n) and the cluster (--context)"
        )
    return str(error)


def _is_elsewhere(error: ApiError) -> bool:
    """Whether no API server answers so: by a page, by sending elsewhere, or without a word."""
    if _OTHER <= error.status < _ERRORS or error.message == NO_API_SERVER:
        return True
    return error.status == _NOT_FOUND and not (error.reason or error.message)


def _kind_missing(error: ApiError) -> str:
    kind = error.object.partition(" ")[0]
    if kind not in _OURS:
        return (
            f"{error.method} {error.object}: every cluster knows the kind, so what answers is no "
            "API server of Kubernetes\nnext: check the address in the kubeconfig, or choose "
            "another --context"
        )
    return (
        f"{error.method} {error.object}: this cluster does not know the kind, so escadre is "
        "not installed on it\nnext: helm install escadre charts/escadre --namespace "
        "escadre-system --create-namespace (docs/operate/install.md), or choose another "
        "--context"
    )
