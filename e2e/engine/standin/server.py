"""The HTTP side of the stand-in: vLLM's routes, and vLLM's manners while it drains.

Built by ``__main__`` (and by tests in their own event loop). During a drain requests in flight go
on, every new one gets 500, and /health stays 200: so vLLM 0.32 was seen to do.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final
from uuid import uuid4

from aiohttp import web

from e2e.engine.standin.engine import Engine, Generation
from e2e.engine.standin.failing import DEAD, told_dead
from e2e.engine.standin.middleware import around
from e2e.engine.standin.openai import (
    ApiError,
    Wish,
    body,
    chunk,
    error_body,
    model_list,
    parse_wish,
    text_of,
    usage_chunk,
)

__all__ = ["Server"]

_CONTENT_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"
_UNCOUNTED: Final = frozenset({"/metrics", "/health", "/load", "/ping", "/version"})
_MAX_BODY: Final = 64 << 20

_compact: Final = partial(json.dumps, separators=(",", ":"))
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_vllm_log = logging.getLogger("vllm.entrypoints.openai")
_log = logging.getLogger("uvicorn.error")  # where vLLM logs it: not under "vllm"


class Server:
    """Routes over one engine; ``drain`` is all that a shutdown needs to call."""

    def __init__(
        self, engine: Engine, *, names: tuple[str, ...], root: str, max_model_len: int
    ) -> None:
        self.draining = False
        self.dead = False  # its core is
        self._engine = engine
        self._names = names
        self._root = root
        self._max_model_len = max_model_len

    def application(self, *middleware: type[Any]) -> web.Application:
        """The aiohttp application, with ASGI middleware around it."""
        app = web.Application(middlewares=[self._counted], client_max_size=_MAX_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ping", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/version", self._version)
        app.router.add_get("/load", self._load)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._completions)
        around(app, middleware)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Count the exchange and turn errors into vLLM's bodies."""
        begin = asyncio.get_running_loop().time()
        try:
            response = await handler(request)
        except ApiError as error:
            if error.status == 404:  # an ERROR of a healthy engine: it reaches termination logs
                _vllm_log.error("Error with model error=%s", error_body(error)["error"])
            response = web.json_response(error_body(error), status=error.status, dumps=_compact)
            if error.status == 500 and self.draining:
                await _hang_up_after(request, response)
        except web.HTTPException as error:
            if error.status not in (404, 405):
                raise
            response = web.json_response({"detail": error.reason}, status=error.status)
        self._count(request, response, asyncio.get_running_loop().time() - begin)
        return response

    def _count(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        if request.path in _UNCOUNTED:
            return
        resource = request.match_info.route.resource
        handler = "none" if resource is None else resource.canonical
        sizes = (request.content_length or 0, response.content_length or 0)
        self._engine.metrics.http(
            handler=handler,
            method=request.method,
            status=response.status,
            sizes=sizes,
            seconds=seconds,
        )

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(status=503 if self.dead else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        content = self._engine.metrics.render()
        return web.Response(body=content, headers={"Content-Type": _CONTENT_TYPE})

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"version": "0.32.0"})

    async def _load(self, _: web.Request) -> web.Response:
        return web.json_response({"server_load": 0})

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(model_list(self._names, self._root, self._max_model_len))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=True)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=False)

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        wish = parse_wish(
            await request.read(), chat=chat, names=self._names, max_model_len=self._max_model_len
        )
        if self.dead:
            raise _engine_dead()
        if self.draining:
            message = "cannot schedule new futures after shutdown"
            _log.error("Exception in ASGI application\nRuntimeError: %s", message)
            raise ApiError(500, message, "InternalServerError")
        generation = self._engine.submit(
            prompt_tokens=wish.prompt_tokens, max_tokens=wish.max_tokens, end=wish.end
        )
        identifier = f"{'chatcmpl' if chat else 'cmpl'}-{uuid4().hex[:16]}"
        try:
            if wish.stream:
                return await _stream(request, wish, generation, identifier)
            reason = await generation.finished()
            if generation.dead:
                raise _engine_dead()
            answer = body(wish, identifier, generation.tokens, reason)
            return web.json_response(answer, dumps=_compact)
        finally:
            self._engine.abort(generation)  # no effect once it has ended


def _engine_dead() -> ApiError:
    return ApiError(500, DEAD, "InternalServerError")


async def _hang_up_after(request: web.Request, response: web.Response) -> None:
    """Close the connection without a header that says so: the client learns it by its next use."""
    await response.prepare(request)
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()


async def _stream(
    request: web.Request, wish: Wish, generation: Generation, identifier: str
) -> web.StreamResponse:
    """Send the tokens as they come; one aborted ends with an error event, 200 and [DONE]."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    sent = 0
    while sent < wish.max_tokens:
        known = await generation.more_than(sent)
        if known == sent:
            break
        if wish.chat and sent == 0:
            await _send(response, chunk(wish, identifier, None))
        for index in range(sent, known):
            end = generation.end if index + 1 == wish.max_tokens else None
            text = text_of(wish, index, index + 1)
            await _send(response, chunk(wish, identifier, text, end))
        sent = known
    if sent < wish.max_tokens and not generation.dead:
        await _send(response, chunk(wish, identifier, "", "abort"))
    elif sent < wish.max_tokens:
        _vllm_log.error("Error in chat completion stream generator.\n%s", told_dead())
        await _send(response, error_body(_engine_dead()))
    elif wish.include_usage:
        await _send(response, usage_chunk(wish, identifier, sent))
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(f"data: {_compact(event)}\n\n".encode())
