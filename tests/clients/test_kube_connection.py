"""What is read of a kubeconfig: no key of it is left on the disk, and mistakes are named."""

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from e2e.cluster.certificates import Authority

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
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", command],
        "interactiveMode": "Never",
    }
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "x",
                "users": [{"name": "u", "user": {"exec": plugin}}],
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            }
        )
    )
    with pytest.raises(ConnectionUnknown) as refused:
        await load_connection(kubeconfig=str(path))
    assert f"{path}: the user's credentials cannot be had: {said}" in str(refused.value)
    assert not caplog.records, "it is said once"
