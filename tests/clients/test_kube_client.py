"""KubeApi against a scripted server: credentials, deadlines, Retry-After, broken answers."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from escadre.clients.kube import (
    DEPLOYMENTS,
    MODEL_DEPLOYMENTS,
    NODES,
    PODS,
    Connection,
    ConnectionUnknown,
    Forbidden,
    Gone,
    Invalid,
    KubeApi,
    Limits,
    Resource,
    ServerUnavailable,
    Tail,
    TooManyRequests,
    Unauthorized,
    load_connection,
    resource_of,
    transport,
)
from escadre.clients.kube.connection import Authorize
from escadre.clients.kube.pod import TokenFile

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SECRET = "eyJhbGciOiAibm9uZSJ9.eyJleHAiOiAxfQ.c2VjcmV0"  # a token that ended in 1970
_BODY = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}}


@asynccontextmanager
async def _serving(
    handler: Handler, *, authorization: Authorize | None = None, **options: Any
) -> AsyncIterator[KubeApi]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    _, port = runner.addresses[0]
    connection = Connection(f"http://127.0.0.1:{port}")
    if authorization is not None:
        connection = replace(connection, authorization=authorization)
    try:
        async with KubeApi(connection, **options) as api:
            yield api
    finally:
        await runner.cleanup()


def _refusal(code: int, reason: str, **headers: str) -> web.Response:
    status = {"kind": "Status", "code": code, "reason": reason, "message": "because"}
    return web.json_response(status, status=code, headers=headers)


def _answers(*answers: web.Response) -> tuple[Handler, list[str]]:
    """A server that gives these answers in turn, then an object, and what it was asked."""
    left, asked = list(answers), []

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        asked.append(f"{request.method} {request.path_qs}")
        return left.pop(0) if left else web.json_response(_BODY)

    return handle, asked


async def test_an_apply_on_the_wire() -> None:
    seen: dict[str, Any] = {}
    counted: list[tuple[str, str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.update(path=request.path_qs, headers=request.headers, body=await request.json())
        return web.json_response(_BODY)

    def count(verb: str, kind: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        counted.append((verb, kind, code))

    async with _serving(handle, component="agent", on_request=count) as api:
        await api.apply(DEPLOYMENTS, _BODY, create_only=True)
    assert seen["path"] == (
        "/apis/apps/v1/namespaces/n/deployments/a?fieldManager=escadre&force=true"
    )
    assert seen["body"]["metadata"]["resourceVersion"] == "1"
    assert seen["headers"]["Content-Type"] == "application/apply-patch+yaml"
    assert seen["headers"]["User-Agent"].startswith("escadre/")
    assert seen["headers"]["User-Agent"].endswith("(agent)")
    assert counted == [("apply", "Deployment", "200")]
    assert "resourceVersion" not in _BODY["metadata"]


async def test_a_server_that_demands_the_token_gets_it_and_its_successor(tmp_path: Path) -> None:
    """Releases of the official client have lost the header before: this must be seen."""
    token = tmp_path / "token"
    token.write_text("first")
    minutes = itertools.count(step=60.0)
    ours = TokenFile(token, clock=lambda: next(minutes))
    accepted = "first"

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization", "").lower() != f"bearer {accepted}":
            return _refusal(401, "Unauthorized")
        return web.json_response(_BODY)

    async with _serving(handle, authorization=ours.authorization) as api:
        await api.get(DEPLOYMENTS, "a", namespace="n")
        accepted = "second"
        with pytest.raises(Unauthorized):
            await api.get(DEPLOYMENTS, "a", namespace="n")
        token.write_text("second")
        await api.get(DEPLOYMENTS, "a", namespace="n")
        token.write_text("")
        with pytest.raises(Unauthorized, match="reading our own credentials"):
            await api.apply(DEPLOYMENTS, _BODY)


async def test_retry_after_is_honoured_once() -> None:
    handle, asked = _answers(_refusal(429, "TooManyRequests", **{"Retry-After": "1"}))
    async with _serving(handle) as api:
        loop = asyncio.get_running_loop()
        started = loop.time()
        assert await api.get(NODES, "a") == _BODY
        assert loop.time() - started >= 1
    assert len(asked) == 2


async def test_retry_after_beyond_the_deadline_is_raised_at_once() -> None:
    handle, asked = _answers(_refusal(429, "TooManyRequests", **{"Retry-After": "30"}))
    async with _serving(handle) as api:
        with pytest.raises(TooManyRequests) as refused:
            await api.get(NODES, "a", within=5)
    assert refused.value.retry_after == 30
    assert len(asked) == 1


async def test_a_second_refusal_is_raised() -> None:
    busy = [_refusal(503, "ServiceUnavailable", **{"Retry-After": "1"}) for _ in range(2)]
    handle, asked = _answers(*busy)
    async with _serving(handle) as api:
        with pytest.raises(ServerUnavailable) as refused:
            await api.apply(DEPLOYMENTS, _BODY)
    assert not refused.value.maybe_committed
    assert len(asked) == 2


async def test_an_answer_that_does_not_come_may_have_been_a_write() -> None:
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        await ended.wait()
        return web.json_response(_BODY)

    async with _serving(handle, limits=Limits(exchange_seconds=0.1)) as api:
        with pytest.raises(ServerUnavailable) as read:
            await api.get(DEPLOYMENTS, "a", namespace="n")
        with pytest.raises(ServerUnavailable) as written:
            await api.apply(DEPLOYMENTS, _BODY)
        ended.set()
    assert not read.value.maybe_committed
    assert written.value.maybe_committed
    assert written.value.reason == "Timeout"


async def test_a_server_that_is_not_there_took_nothing() -> None:
    async with KubeApi(Connection("http://127.0.0.1:1")) as api:
        with pytest.raises(ServerUnavailable) as refused:
            await api.apply(DEPLOYMENTS, _BODY)
    assert not refused.value.maybe_committed
    assert "applying Deployment n/a" in str(refused.value)


@pytest.mark.parametrize(
    ("code", "expected", "maybe"),
    [
        pytest.param(500, ServerUnavailable, True, id="500 may come after the write"),
        pytest.param(504, ServerUnavailable, True, id="504 may come after the write"),
        pytest.param(403, Forbidden, None, id="403 is a refusal"),
        pytest.param(422, Invalid, None, id="422 will never be taken"),
    ],
)
async def test_codes_have_types(code: int, expected: type[Exception], maybe: bool | None) -> None:
    handle, _ = _answers(_refusal(code, "Because"))
    async with _serving(handle) as api:
        with pytest.raises(expected) as refused:
            await api.apply(DEPLOYMENTS, _BODY)
    assert str(refused.value) == f"applying Deployment n/a: because ({code} Because)"
    assert getattr(refused.value, "maybe_committed", None) is maybe


async def test_what_is_no_json_is_no_answer() -> None:
    handle, _ = _answers(web.Response(text="<html>gateway</html>"), web.Response(text="[]"))
    async with _serving(handle) as api:
        for _ in range(2):
            with pytest.raises(ServerUnavailable, match="not a JSON object"):
                await api.get(NODES, "a")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=302, headers={"Location": "/login"}), r"no message .* \(302\)"),
        (web.Response(status=500, text=" <html>\n<h1>Oops"), "a page of HTML, which no API server"),
        (web.Response(status=502, text="bad\n gateway"), r"getting Node a: bad gateway \(502\)"),
    ],
)
async def test_what_is_no_answer_of_an_api_server_is_told_in_a_line(
    answer: web.Response, said: str
) -> None:
    handle, _ = _answers(answer)
    async with _serving(handle) as api:
        with pytest.raises(ServerUnavailable, match=said):
            await api.get(NODES, "a")


async def test_watch_lines_may_be_split_joined_and_large() -> None:
    big = "x" * 3_000_000
    events = [
        {"type": "ADDED", "object": {"metadata": {"name": name, "resourceVersion": "5"}}}
        for name in ("a", big, "c")
    ]
    gone = {"type": "ERROR", "object": {"code": 410, "reason": "Expired", "message": "too old"}}
    raw = b"".join(json.dumps(each).encode() + b"\n" for each in (*events, gone))

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.query["allowWatchBookmarks"] == "true"
        assert request.query["resourceVersion"] == "4"
        response = web.StreamResponse()
        await response.prepare(request)
        for start in range(0, len(raw), 1_000_003):
            await response.write(raw[start : start + 1_000_003])
        return response

    names = []

    async def follow(api: KubeApi) -> None:
        async for event in api.watch(NODES, resource_version="4"):
            names.append(event.object["metadata"]["name"])  # noqa: PERF401 - it raises

    async with _serving(handle) as api:
        with pytest.raises(Gone, match="watching nodes: too old"):
            await follow(api)
    assert names == ["a", big, "c"]


async def test_the_limiter_spreads_requests() -> None:
    handle, asked = _answers()
    async with _serving(handle, limits=Limits(qps=20, burst=2)) as api:
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(api.get(NODES, "a") for _ in range(6)))
        assert loop.time() - started >= 0.19
    assert len(asked) == 6


async def test_a_request_whose_turn_comes_after_its_deadline_is_not_sent() -> None:
    handle, asked = _answers()
    async with _serving(handle, limits=Limits(qps=0.001, burst=2)) as api:
        requests = [api.get(NODES, "a", within=60) for _ in range(5)]
        results = await asyncio.gather(*requests, return_exceptions=True)
    refused = [each for each in results if isinstance(each, TooManyRequests)]
    assert [each.reason for each in refused] == ["ClientRateLimit"] * 3
    assert len(asked) == 2


async def test_no_more_connections_than_allowed() -> None:
    open_now = most = 0

    async def handle(_: web.Request) -> web.StreamResponse:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return web.json_response(_BODY)

    async with _serving(handle, limits=Limits(connections=3, qps=0)) as api:
        await asyncio.gather(*(api.get(NODES, "a") for _ in range(12)))
    assert most == 3


async def test_what_large_answers_came_through_is_closed_soon_and_the_rest_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A connection in TLS keeps a buffer, which a page of a list fills."""
    monkeypatch.setattr(transport, "LARGE_KEPT_SECONDS", 0.02)
    ways: dict[str, asyncio.Transport] = {}

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ways[request.path_qs] = request.transport
        return web.json_response({"items": [], "metadata": {"resourceVersion": "1"}})

    async with _serving(handle) as api:
        await api.get(NODES, "a")
        await api.list_page(NODES, limit=1)
        await api.list_page(NODES, limit=50)
        await api.list_names(PODS)
        one, count, page, names = ways.values()
        async with asyncio.timeout(30):
            while not (page.is_closing() and names.is_closing()):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        assert one is count
        assert not one.is_closing()


def test_paths_and_descriptions() -> None:
    assert NODES.path(name="a") == "/api/v1/nodes/a"
    assert PODS.path() == "/api/v1/pods"
    assert MODEL_DEPLOYMENTS.path(namespace="n", name="a", subresource="status") == (
        "/apis/escadre.dev/v1alpha1/namespaces/n/modeldeployments/a/status"
    )
    assert PODS.path(namespace="../x", name="y") == "/api/v1/namespaces/..%2Fx/pods/y"
    with pytest.raises(ValueError, match="needs a namespace"):
        PODS.path(name="a")
    with pytest.raises(ValueError, match="needs no namespace"):
        NODES.path(name="a", namespace="n")
    assert resource_of(_BODY) is DEPLOYMENTS
    with pytest.raises(ValueError, match="batch/v1 Job"):
        resource_of({"apiVersion": "batch/v1", "kind": "Job"})
    assert Resource("", "v1", "pods", "Pod", namespaced=True).describe("n", "a") == "Pod n/a"


async def test_the_end_of_a_log_is_asked_for_and_read_as_text() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(str(request.rel_url))
        return web.Response(body=b"eins\nzwei " + b"\xff")

    async with _serving(answer) as api:
        tail = Tail(lines=7, bytes=99, previous=True)
        assert await api.log("p", "c", namespace="n", tail=tail) == "eins\nzwei \ufffd"
    assert asked == [
        "/api/v1/namespaces/n/pods/p/log?container=c&tailLines=7&limitBytes=99&previous=true"
    ]


async def test_a_log_that_may_not_be_read_is_named() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "no"}, status=403)

    async with _serving(answer) as api:
        with pytest.raises(Forbidden, match="reading log of Pod n/p: no"):
            await api.log("p", "c", namespace="n")


async def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    with pytest.raises(ConnectionUnknown, match="loading the kubeconfig"):
        await load_connection(kubeconfig=str(missing))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "config is empty"),
        (b"hello", "is not laid out as kubectl writes it"),
        (b"contexts: 3", "is not laid out as kubectl writes it"),
        (b"\x80\x02\xff", "is not laid out as kubectl writes it"),
        (b"contexts:\n  - [", "line 2: not YAML"),
    ],
)
@pytest.mark.parametrize("context", [None, "there"])
async def test_a_kubeconfig_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes, said: str, context: str | None
) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(ConnectionUnknown) as caught:
        await load_connection(kubeconfig=str(path), context=context)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def _oidc(**more: str) -> dict[str, Any]:
    """A user whose token has ended and is to be renewed."""
    secrets = dict.fromkeys(("id-token", "refresh-token", "client-secret"), SECRET)
    return {"auth-provider": {"name": "oidc", "config": {**secrets, **more}}}


@pytest.mark.parametrize(
    ("user", "cluster", "said"),
    [
        (
            _oidc(),
            {"server": "https://127.0.0.1:1"},
            "Expected key client-id in {path}[name=jo]/user/auth-provider/config",
        ),
        (
            _oidc(**{"client-id": "a"}),
            {"server": "https://127.0.0.1:1"},
            "Expected key idp-issuer-url in {path}[name=jo]/user/auth-provider/config",
        ),
        ({"token": SECRET}, {"proxy-url": SECRET}, "{path}: cluster there has no server"),
        (
            {"token": SECRET},
            {"server": f"https://jo:{SECRET}@127.0.0.1"},
            "{path}: cluster there: a user name in its server belongs among the users",
        ),
        ({}, {"server": "a.example:6443"}, "its server a.example:6443 is no https://HOST:PORT"),
        ({}, {"server": "10.0.0.1"}, "its server 10.0.0.1 is no https://HOST:PORT"),
    ],
)
async def test_what_a_kubeconfig_lacks_is_said_without_the_secrets_beside_it(
    tmp_path: Path, user: dict[str, Any], cluster: dict[str, Any], said: str
) -> None:
    """The library names an entry by all that is in it."""
    path = tmp_path / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"cluster": cluster, "name": "there"}],
        "users": [{"user": user, "name": "jo"}],
        "contexts": [{"name": "x", "context": {"cluster": "there", "user": "jo"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(config))
    with pytest.raises(ConnectionUnknown) as caught:
        await load_connection(kubeconfig=str(path))
    assert said.format(path=path) in str(caught.value)
    assert SECRET not in str(caught.value)


async def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(ConnectionUnknown, match=f"{tmp_path} is a folder, no file"):
        await load_connection(kubeconfig=str(tmp_path))


async def test_a_kubeconfig_gives_server_token_and_namespace(tmp_path: Path) -> None:
    user = {"name": "u", "user": {"token": "secret"}}
    cluster = {"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "team"}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "users": [user],
        "clusters": [cluster],
        "contexts": [context],
    }
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    connection = await load_connection(kubeconfig=str(path))
    assert connection.host == "https://127.0.0.1:6443"
    assert connection.namespace == "team"
    assert await connection.authorization() == "Bearer secret"
