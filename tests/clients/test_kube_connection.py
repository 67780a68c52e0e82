"""What is read of a kubeconfig: no key of it is left on the disk, and mistakes are named."""

import asyncio
import base64
import json
import logging
import os
import shlex
import ssl
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e.cluster.certificates import Authority
from kubernetes.aio.config import kube_config

from escadre.clients.kube import NODES, ConnectionUnknown, KubeApi, load_connection


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _kubeconfig(folder: Path, url: str, *contexts: str) -> str:
    """Everything inline, as kind and managed clusters hand it out; returns its path."""
    user = {
        "client-certificate-data": _inline(folder / "admin.crt"),
        "client-key-data": _inline(folder / "admin.key"),
    }
    cluster = {"server": url, "certificate-authority-data": _inline(folder / "ca.crt")}
    config: dict[str, Any] = {
        "current-context": "x",
        "users": [{"name": "u", "user": user}],
        "clusters": [{"name": "c", "cluster": cluster}],
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("x", *contexts)
        ],
    }
    path = folder / "config"
    path.write_text(json.dumps(config))
    return str(path)


@asynccontextmanager
async def _server_that_asks_for_a_certificate(folder: Path) -> AsyncIterator[str]:
    async def whoami(request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = dict(pair[0] for pair in request.transport.get_extra_info("peercert")["subject"])
        return web.json_response({"metadata": {"name": subject["commonName"]}})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    app = web.Application()
    app.router.add_get("/{tail:.*}", whoami)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    authority = Authority(tmp_path)
    authority.issue("server", "server", alternatives=("127.0.0.1",))
    authority.issue("admin", "anne")
    return tmp_path


@pytest.mark.parametrize("time", ["first", "second"])
async def test_a_key_in_the_kubeconfig_is_on_no_disk_once_it_was_read(
    time: str, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = certificates / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with _server_that_asks_for_a_certificate(certificates) as url:
        path = _kubeconfig(certificates, url)
        connection = await load_connection(kubeconfig=path)
        if time == "second":
            connection = await load_connection(kubeconfig=path)
        assert list(temporary.iterdir()) == []
        async with KubeApi(connection) as api:
            found = await api.get(NODES, "me")
    assert found["metadata"]["name"] == "anne"


async def test_a_key_that_does_not_fit_leaves_no_file_either(
    certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = certificates / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    (certificates / "admin.key").write_bytes((certificates / "server.key").read_bytes())
    path = _kubeconfig(certificates, "https://127.0.0.1:1")
    with pytest.raises(ConnectionUnknown, match="loading the kubeconfig"):
        await load_connection(kubeconfig=path)
    assert list(temporary.iterdir()) == []


async def test_an_unknown_context_is_answered_with_those_there_are(certificates: Path) -> None:
    path = _kubeconfig(certificates, "https://127.0.0.1:1", "staging")
    with pytest.raises(ConnectionUnknown) as refused:
        await load_connection(kubeconfig=path, context="bogus")
    assert str(refused.value) == (
        f"--context bogus: {path} has no context of that name; its contexts are: staging, x"
    )


def _with_plugin(folder: Path, command: str) -> Path:
    """A kubeconfig whose user is known by what a command says."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", command],
        "interactiveMode": "Never",
    }
    return _with_user(folder, {"exec": plugin})


def _with_user(folder: Path, user: dict[str, Any]) -> Path:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "x",
                "users": [{"name": "u", "user": user}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            r"printf '\033[31mlogin\nexpired\033[0m' >&2; exit 1",
            "exec: process returned 1. login expired; log in again as the plugin wants it",
        ),
        ("echo '{}'", "exec: malformed response"),
    ],
)
async def test_a_credential_plugin_that_fails_is_told_and_nothing_goes_on_without(
    command: str, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = _with_plugin(tmp_path, command)
    with pytest.raises(ConnectionUnknown) as refused:
        await load_connection(kubeconfig=str(path))
    assert f"{path}: the user's credentials cannot be had: {said}" in str(refused.value)
    assert not caplog.records, "it is said once"


async def test_a_credential_plugin_that_fails_later_is_told_and_not_gone_on_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A token ends during a watch of hours; the old one is no better than none."""
    status = {"token": "first", "expirationTimestamp": "2026-01-01T00:00:00Z"}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    (tmp_path / "answer").write_text(json.dumps({**answer, "status": status}))
    path = _with_plugin(
        tmp_path, f"cd {tmp_path} && cat answer && rm answer || {{ echo expired >&2; exit 1; }}"
    )
    connection = await load_connection(kubeconfig=str(path))
    for _ in range(2):
        asked = (connection.authorization() for _ in range(3))
        for refused in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(refused, OSError)
            assert str(refused).endswith("log in again as the plugin wants it")
    assert not caplog.records
    assert logging.getLogger(kube_config.__name__).propagate, "others are heard again"


async def test_a_token_that_has_ended_is_asked_for_again_and_one_without_an_end_is_not(
    tmp_path: Path,
) -> None:
    """Also in its last minutes, in which the library would ask each time."""
    soon = datetime.now(UTC) + timedelta(minutes=2)
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    for status, given in (
        ({"expirationTimestamp": "2026-01-01T00:00:00Z"}, ["2", "3"]),
        ({"expirationTimestamp": "2036-01-01T00:00:00Z"}, ["1", "1"]),
        ({"expirationTimestamp": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}, ["1", "1"]),
        ({}, ["1", "1"]),
    ):
        counted = tmp_path / "count"
        counted.write_text("")
        text = json.dumps({**answer, "status": {"token": "TOKEN", **status}})
        number = f"echo >> {counted}; sed s/TOKEN/$(wc -l < {counted})/ <<< '{text}'"
        path = _with_plugin(tmp_path, f"bash -c {shlex.quote(number)}")
        connection = await load_connection(kubeconfig=str(path))
        assert [await connection.authorization() for _ in given] == [f"Bearer {n}" for n in given]


async def test_a_file_with_a_token_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first")
    path = _with_user(tmp_path, {"tokenFile": str(token)})
    connection = await load_connection(kubeconfig=str(path))
    assert await connection.authorization() == "Bearer first"
    token.write_text("second\n")
    assert await connection.authorization() == "Bearer second"


async def test_a_plugin_that_tells_no_end_any_more_is_not_asked_again(tmp_path: Path) -> None:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    ended = {"token": "first", "expirationTimestamp": "2026-01-01T00:00:00Z"}
    for number, status in enumerate((ended, {"token": "second"}, {"token": "third"})):
        (tmp_path / f"{number}.json").write_text(json.dumps({**answer, "status": status}))
    path = _with_plugin(tmp_path, f"cd {tmp_path} && set -- *.json && cat $1 && rm $1")
    connection = await load_connection(kubeconfig=str(path))
    assert [await connection.authorization() for _ in range(3)] == ["Bearer second"] * 3


async def test_a_kubeconfig_may_come_from_a_pipe(tmp_path: Path) -> None:
    text = _with_user(tmp_path, {"token": "t"}).read_bytes()
    reading, writing = os.pipe()
    try:
        os.write(writing, text)
        os.close(writing)
        connection = await load_connection(kubeconfig=f"/dev/fd/{reading}")
    finally:
        os.close(reading)
    assert await connection.authorization() == "Bearer t"


@pytest.mark.parametrize(
    ("user", "given"),
    [({}, None), ({"token": "t"}, "Bearer t"), ({"username": "u", "password": "p"}, "Basic dTpw")],
)
async def test_what_never_ends_stays(
    user: dict[str, str], given: str | None, tmp_path: Path
) -> None:
    connection = await load_connection(kubeconfig=str(_with_user(tmp_path, user)))
    assert [await connection.authorization() for _ in range(2)] == [given, given]


@pytest.mark.parametrize("also", [{}, {"tokenFile": "token"}])
def test_threads_load_the_same_kubeconfig_beside_each_other(
    also: dict[str, str], certificates: Path
) -> None:
    """The operator asks with a token while the election's thread loads its own connection."""
    config = Path(_kubeconfig(certificates, "https://127.0.0.1:1"))
    written = json.loads(config.read_text())
    written["users"][0]["user"].update(also)
    config.write_text(json.dumps(written))
    (certificates / "token").write_text("t")

    async def load() -> str | None:
        return await (await load_connection(kubeconfig=str(config))).authorization()

    def often(_: int) -> list[str | None]:
        return [asyncio.run(load()) for _ in range(20)]

    with ThreadPoolExecutor() as threads:
        given = list(threads.map(often, range(4)))
    assert given == [["Bearer t" if also else None] * 20] * 4
