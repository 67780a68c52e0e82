"""Loads what ``--middleware`` names as vLLM does, and runs it around the stand-in's routes.

vLLM is an ASGI application, the stand-in one of aiohttp: here a request of the one is told to the
other, so that the very class runs which an engine's pod is given. Called by ``__main__`` and
``Server``. As in vLLM, what cannot be loaded ends the start.
"""

import importlib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiohttp import web

__all__ = ["around", "load"]

_Send = Callable[[dict[str, Any]], Awaitable[None]]
_SEND: Final[web.RequestKey[_Send]] = web.RequestKey("send")
_ANSWER: Final = web.RequestKey("answer", web.StreamResponse)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def load(path: str) -> type[Any]:
    """The class that an import path names.

    Raises:
        ImportError, AttributeError, ValueError: as vLLM would for it.
    """
    module, name = path.rsplit(".", 1)
    found = getattr(importlib.import_module(module), name)
    if not inspect.isclass(found):
        raise ValueError(f"Invalid middleware {path}. Must be a function or a class.")
    return found


def around(application: web.Application, classes: Sequence[type[Any]]) -> None:
    """Have them see every request before the application's own middlewares: the last one first."""
    for one in classes:
        application.middlewares.insert(0, _bridge(one))
    if classes:
        application.on_response_prepare.append(_told)


def _bridge(kind: type[Any]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """An aiohttp middleware that is an ASGI one."""

    async def routes(scope: dict[str, Any], _: object, send: _Send) -> None:
        request: web.Request = scope["request"]
        request[_SEND] = send
        response = await scope["handler"](request)
        # Within, as vLLM sends: an answer that is not written yet is still in flight.
        await response.prepare(request)
        await response.write_eof()
        request[_ANSWER] = response

    outer = kind(routes)

    @web.middleware
    async def bridge(request: web.Request, handler: _Handler) -> web.StreamResponse:
        async def send(message: dict[str, Any]) -> None:
            answer = request.get(_ANSWER)
            if answer is None:  # the middleware's own
                answer = request[_ANSWER] = web.Response(status=message["status"])
            if message["type"] == "http.response.start":
                _copy(message["headers"], answer)
            elif isinstance(answer, web.Response):
                answer.body = message["body"]

        told: dict[str, Any] = {"type": "http", "method": request.method, "path": request.path}
        peer = request.transport.get_extra_info("peername") if request.transport else None
        headers = [(key.lower(), value) for key, value in request.raw_headers]
        told |= {"client": peer, "headers": headers, "request": request, "handler": handler}
        await outer(told, None, send)
        return request[_ANSWER]

    return bridge


async def _told(request: web.Request, response: web.StreamResponse) -> None:
    """The head of the routes' answer goes through the middleware, which may add to its headers."""
    if _SEND in request and _ANSWER not in request:
        request[_ANSWER] = response
        await request[_SEND]({"type": "http.response.start", "headers": []})


def _copy(headers: Sequence[tuple[bytes, bytes]], response: web.StreamResponse) -> None:
    for key, value in headers:
        if key == b"connection" and value == b"close":
            response.force_close()  # as uvicorn does
        response.headers[key.decode()] = value.decode()
