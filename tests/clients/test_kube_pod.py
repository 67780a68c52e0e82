"""clients/kube/pod.py: the account of a pod, from the files and variables that it is given."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.cluster.certificates import Authority

from escadre.clients.kube import ConnectionUnknown, load_connection, pod
from escadre.clients.kube.pod import TokenFile, pod_connection

_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
_PLACE = {_HOST: "10.0.0.1", _PORT: "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    Authority(tmp_path)
    (tmp_path / "token").write_text("t0k\n")
    (tmp_path / "namespace").write_text("escadre-system")
    return tmp_path


@pytest.fixture
def in_pod(account: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This process is one of a pod, whose files these are."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    for name, value in _PLACE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pod.pod_connection, "__defaults__", (account, os.environ))
    return account


@pytest.mark.usefixtures("in_pod")
async def test_all_that_a_pod_is_given() -> None:
    found = await load_connection()
    assert found.host == "https://10.0.0.1:443"
    assert found.namespace == "escadre-system"
    assert await found.authorization() == "Bearer t0k"
    assert found.tls is not None
    (trusted,) = found.tls.get_ca_certs()
    assert trusted["issuer"] == trusted["subject"]


def test_an_address_of_ipv6_stands_in_brackets(account: Path) -> None:
    found = pod_connection(account, _PLACE | {_HOST: "fd00::1"})
    assert found.host == "https://[fd00::1]:443"


def test_a_pod_without_a_namespace_file_has_none(account: Path) -> None:
    (account / "namespace").unlink()
    assert pod_connection(account, _PLACE).namespace is None


@pytest.mark.parametrize("name", ["token", "ca.crt"])
@pytest.mark.parametrize("text", [None, " \n"], ids=["missing", "empty"])
async def test_a_file_that_says_nothing_is_named(in_pod: Path, name: str, text: str | None) -> None:
    (in_pod / name).unlink() if text is None else (in_pod / name).write_text(text)
    with pytest.raises(ConnectionUnknown, match="loading the pod's service account") as refused:
        await load_connection()
    assert str(in_pod / name) in str(refused.value)


async def test_an_authority_that_is_none_is_refused(in_pod: Path) -> None:
    (in_pod / "ca.crt").write_text("not a certificate")
    with pytest.raises(ConnectionUnknown, match="loading the pod's service account"):
        await load_connection()


@pytest.mark.usefixtures("in_pod")
@pytest.mark.parametrize("name", [_HOST, _PORT])
async def test_an_address_that_is_not_told_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(ConnectionUnknown, match=f"{_HOST} or {_PORT} is not set, or empty"):
        await load_connection()


async def test_a_token_is_read_again_once_a_minute(account: Path) -> None:
    times = iter([0.0, 59.0, 60.0, 119.0, 120.0])
    token = TokenFile(account / "token", clock=lambda: next(times))
    seen = []
    for number in range(4):
        (account / "token").write_text(f"next-{number}")
        seen.append(await token.authorization())
    assert seen == ["Bearer t0k", "Bearer next-1", "Bearer next-1", "Bearer next-3"]


@pytest.mark.parametrize("program", ["escadre.controller.run", "escadre.agent.run"])
def test_no_pod_loads_the_official_client(program: str) -> None:
    look = f"import sys, {program}; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
