"""TLS to a mirror: whom it believes, under every Python, and to whom it shows its certificate."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.clients.sources.certificates import Authority, Issued, tls_server
from tests.clients.sources.faulty import LOCAL

from escadre import reasons
from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import Certificate, Credentials
from escadre.clients.sources.errors import MirrorError, MirrorUnavailable
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.tls import tls_context
from escadre.errors import Refusal

DIGEST = "sha256:" + "a" * 64
PATH = f"/escadre-manifests/{'a' * 64}.manifest"


def manifest(
    url: str, ca_bundle: str | None, shown: Issued | None = None, hosts: list[str] | None = None
) -> bytes:
    spec = ModelMirrorSpec(type="http", url=url, ca_bundle=ca_bundle, redirect_hosts=hosts or [])
    certificate = Certificate(shown.certificate, shown.key) if shown else None
    mirror = open_source(
        "m",
        spec,
        repository="org/model",
        revision="0" * 40,
        credentials=Credentials(certificate=certificate),
        guard=LOCAL,
    )
    try:
        return mirror.manifest(DIGEST)
    finally:
        mirror.close()


@pytest.fixture
def authority() -> Authority:
    return Authority("bank")


@pytest.fixture
def file(authority: Authority, tmp_path: Path) -> Path:
    return authority.issue("127.0.0.1").file(tmp_path / "server.pem")


def test_the_bundle_is_believed_and_nobody_else(authority: Authority, file: Path) -> None:
    with tls_server(file) as server:
        assert manifest(server.url, authority.pem) == b"text"
        for bundle in (None, Authority("bank").pem):
            with pytest.raises(MirrorUnavailable, match=r"TLS: .*certificate verify failed") as c:
                manifest(server.url, bundle)
            assert not c.value.transient


def test_another_host_s_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    with (
        tls_server(authority.issue("127.0.0.2").file(tmp_path / "other.pem")) as server,
        pytest.raises(MirrorUnavailable, match="IP address mismatch"),
    ):
        manifest(server.url, authority.pem)


@pytest.mark.parametrize("believed", [None, "another"])
def test_an_authority_that_is_not_known_is_to_be_named(file: Path, believed: str | None) -> None:
    ca = Authority(believed).pem if believed else None
    with tls_server(file) as server, pytest.raises(MirrorUnavailable) as caught:
        manifest(server.url, ca)
    assert "list the authority that signed it in spec.caBundle" in caught.value.message


STRICT = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN


@pytest.mark.parametrize("flags", [ssl.VERIFY_DEFAULT, STRICT], ids=["3.11", "3.13"])
def test_an_authority_that_was_named_holds_under_every_python(
    flags: ssl.VerifyFlags, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its basicConstraints are not critical; another one is only the middle of a chain."""
    create: Callable[..., ssl.SSLContext] = ssl.create_default_context

    def created(**options: object) -> ssl.SSLContext:
        context = create(**options)
        context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | flags
        return context

    monkeypatch.setattr(ssl, "create_default_context", created)
    loose = Authority("bank", critical=False)
    middle = Authority("middle", above=Authority("root"))
    for one in (loose, middle):
        with tls_server(one.issue("127.0.0.1").file(tmp_path / "server.pem")) as server:
            assert manifest(server.url, one.pem) == b"text"


def test_a_certificate_is_shown_to_the_mirror(authority: Authority, file: Path) -> None:
    shown = authority.issue("127.0.0.9")
    with tls_server(file, asks=authority, wants=True) as server:
        assert manifest(server.url, authority.pem, shown) == b"text"
        assert server.shown == ["127.0.0.9"]
        with pytest.raises(MirrorError):
            manifest(server.url, authority.pem)


def test_a_certificate_is_shown_to_nobody_else(authority: Authority, file: Path) -> None:
    shown = authority.issue("127.0.0.9")
    with tls_server(file, asks=authority) as store:
        with tls_server(file, asks=authority, redirects={PATH: f"{store.url}/x"}) as mirror:
            host = store.url.removeprefix("https://")
            assert manifest(mirror.url, authority.pem, shown, [host]) == b"text"
        assert (mirror.shown, store.shown) == (["127.0.0.9"], [None])


def test_a_key_of_another_certificate_is_refused_without_showing_it(authority: Authority) -> None:
    one, other = authority.issue("127.0.0.1"), authority.issue("127.0.0.1")
    with pytest.raises(Refusal, match=r"tls\.crt and tls\.key .* KEY_VALUES_MISMATCH") as caught:
        tls_context(None, Certificate(one.certificate, other.key))
    assert caught.value.reason == reasons.SECRET_NOT_FOUND
    assert "BEGIN" not in caught.value.message


def test_a_key_with_a_password_asks_nobody(authority: Authority) -> None:
    locked = (
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
        "-----END EC PRIVATE KEY-----"
    )
    with pytest.raises(Refusal, match="without a password"):
        tls_context(None, Certificate(authority.issue("127.0.0.1").certificate, locked))
