"""Errors of the API server, typed by what a caller does about them.

    ApiError
    ├── NotFound            404  the object (or its namespace, or the resource itself) is not there
    ├── Conflict            409  exists already, another uid, or an old resourceVersion
    ├── Gone                410  a watch or a list must begin anew
    ├── Invalid             400, 405, 415, 422  the server will never take this
    ├── Unauthorized        401  who we are
    ├── Forbidden           403  what we may; also quota and terminating namespaces
    ├── TooManyRequests     429  later
    └── ServerUnavailable   5xx, no connection, no answer in time

Raised by `KubeApi` and by the fake API of the tests alike; `error_from_status` is the one place
that maps a code to a class.
"""

from collections.abc import Mapping
from typing import Any, Final

from escadre.errors import EscadreError

__all__ = [
    "NO_API_SERVER",
    "ApiError",
    "Conflict",
    "Forbidden",
    "Gone",
    "Invalid",
    "NotFound",
    "ServerUnavailable",
    "TooManyRequests",
    "Unauthorized",
    "error_from_status",
]


_GERUNDS: Final[Mapping[str, str]] = {
    "get": "getting",
    "list": "listing",
    "read": "reading",
    "watch": "watching",
    "apply": "applying",
    "create": "creating",
    "patch": "patching",
    "delete": "deleting",
}


class ApiError(EscadreError):
    """The API server did not do what was asked.

    ``method`` is the verb in words (``apply``), ``object`` names the target (``Deployment
    ns/name``), ``status`` is the HTTP code (0 without an answer), ``reason`` and ``message`` are
    the server's own, ``causes`` the reasons in its details.
    """

    def __init__(
        self,
        *,
        method: str,
        object: str,  # noqa: A002 - what every reader of the error calls it
        status: int = 0,
        reason: str = "",
        message: str = "",
        causes: tuple[str, ...] = (),
    ) -> None:
        code = f"{status} {reason}".strip() if status else reason or "no answer"
        doing = _GERUNDS.get(method, method)
        super().__init__(f"{doing} {object}: {message or 'no message from the server'} ({code})")
        self.method = method
        self.object = object
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes


class NotFound(ApiError):
    """404: the object, its namespace or the whole resource does not exist."""


class Conflict(ApiError):
    """409: somebody else was there first."""

    @property
    def already_exists(self) -> bool:
        """Whether the object to create is there already (not: a precondition failed)."""
        return self.reason == "AlreadyExists"


class Gone(ApiError):
    """410: the resourceVersion or continue token is too old; list again."""


class Invalid(ApiError):
    """400, 405, 415, 422: the request can never succeed as it is."""


class Unauthorized(ApiError):
    """401: the server does not know us (token expired, certificate refused)."""


class Forbidden(ApiError):
    """403: not granted, refused by a policy, over quota, or the namespace is going away."""

    @property
    def namespace_terminating(self) -> bool:
        """Whether the refusal says that the namespace is being deleted."""
        return "NamespaceTerminating" in self.causes


class TooManyRequests(ApiError):
    """429: the server asks for patience; ``retry_after`` in seconds, 0 if it did not say."""

    def __init__(self, *, retry_after: float = 0.0, **fields: Any) -> None:
        super().__init__(**fields)
        self.retry_after = retry_after


class ServerUnavailable(ApiError):
    """5xx, 3xx, no connection or no answer; ``maybe_committed``: a write may have happened."""

    def __init__(
        self, *, maybe_committed: bool = False, retry_after: float = 0.0, **fields: Any
    ) -> None:
        super().__init__(**fields)
        self.maybe_committed = maybe_committed
        self.retry_after = retry_after


# What is told of an answer in HTML, whatever its code: a gateway, a login page, another server.
NO_API_SERVER: Final = "a page of HTML, which no API server sends"

_BY_CODE: Final[Mapping[int, type[ApiError]]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Invalid,
    409: Conflict,
    410: Gone,
    415: Invalid,
    422: Invalid,
}
_READS: Final = frozenset({"get", "list", "read", "watch"})
_TOO_MANY: Final = 429
_CLIENT_SIDE, _SERVER_SIDE = 400, 500
_NOT_STARTED: Final = 503


def error_from_status(
    *,
    method: str,
    object: str,  # noqa: A002 - as ApiError calls it
    code: int,
    status: Mapping[str, Any],
    retry_after: float = 0.0,
) -> ApiError:
    """The typed error for an HTTP code and the server's ``Status`` object (may be empty)."""
    details = status.get("details") or {}
    fields: dict[str, Any] = {
        "method": method,
        "object": object,
        "status": code,
        "reason": str(status.get("reason") or ""),
        "message": str(status.get("message") or ""),
        "causes": tuple(str(each.get("reason", "")) for each in details.get("causes") or ()),
    }
    if code == _TOO_MANY:
        return TooManyRequests(retry_after=retry_after, **fields)
    if code >= _SERVER_SIDE or code < _CLIENT_SIDE:
        # 503 is what a server says that took nothing in; a gateway's 502 or 504, or a 500, may
        # come after the write.
        maybe = method not in _READS and code >= _SERVER_SIDE and code != _NOT_STARTED
        return ServerUnavailable(maybe_committed=maybe, retry_after=retry_after, **fields)
    return _BY_CODE.get(code, ApiError)(**fields)
