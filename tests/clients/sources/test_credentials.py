"""Credentials from a Secret."""

import pytest

from escadre import reasons
from escadre.clients.sources.credentials import (
    SECRET_KEYS,
    AccessKey,
    Credentials,
    credentials_from_files,
    credentials_from_secret,
)
from escadre.errors import Refusal


@pytest.mark.parametrize(
    ("data", "header"),
    [
        pytest.param({"token": b"abc\n"}, "Bearer abc", id="token with a line end"),
        pytest.param({"username": b"u", "password": b"p"}, "Basic dTpw", id="user and password"),
        pytest.param({"token": b"abc", "username": b"u"}, "Bearer abc", id="token wins"),
    ],
)
def test_header(data: dict[str, bytes], header: str) -> None:
    assert credentials_from_secret("s", data).authorization == header


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="empty"),
        pytest.param({"username": b"u"}, id="half"),
        pytest.param({"token": b"topsecret\r\nX-Evil: 1"}, id="header injection"),
        pytest.param({"accessKeyID": b"topsecret"}, id="half a key"),
        pytest.param({"tls.crt": b"topsecret", "tls.key": b"topsecret"}, id="no PEM"),
        pytest.param({"token": b"topsecret\xff"}, id="not text"),
        pytest.param({"token": "töpsecret".encode()}, id="not ASCII"),
        pytest.param({"username": b"topsecret:x", "password": b"p"}, id="a name with a colon"),
        pytest.param({"token": b"", "other": b"topsecret"}, id="nothing in it"),
    ],
)
def test_unusable_secrets_are_refused_without_showing_them(data: dict[str, bytes]) -> None:
    with pytest.raises(Refusal) as caught:
        credentials_from_secret("mirror-token", data)
    assert caught.value.reason == reasons.SECRET_NOT_FOUND
    assert "mirror-token" in caught.value.message
    assert "psecret" not in caught.value.message


PEM = {
    "tls.crt": b"-----BEGIN CERTIFICATE-----\nabc\n",
    "tls.key": b"-----BEGIN PRIVATE KEY-----\nabc\n",
}


def test_a_key_for_signed_requests_is_no_header() -> None:
    found = credentials_from_secret("s", {"accessKeyID": b"AK\n", "secretAccessKey": b"abc"})
    assert found == Credentials(access_key=AccessKey("AK", "abc"))
    assert found.authorize("GET", "https://s3.bank.example/", {}) == {}


@pytest.mark.parametrize("beside", [{}, {"token": b"abc"}], ids=["alone", "beside a token"])
def test_a_certificate_is_read(beside: dict[str, bytes]) -> None:
    found = credentials_from_secret("s", {**PEM, **beside})
    assert found.certificate
    assert found.certificate.key == "-----BEGIN PRIVATE KEY-----\nabc"
    assert found.authorization == ("Bearer abc" if beside else None)


@pytest.mark.parametrize(
    "data",
    [
        {"token": b"abc"},
        {"username": b"abc", "password": b"abc"},
        {"accessKeyID": b"AK", "secretAccessKey": b"abc"},
        PEM,
    ],
)
def test_credentials_do_not_show(data: dict[str, bytes]) -> None:
    assert "abc" not in repr(credentials_from_secret("s", data))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"username": b"u"}, "--credentials ./key: username without password"),
        ({"secretAccessKey": b"s", "token": b"t"}, "secretAccessKey without accessKeyID"),
        ({"tls.crt": PEM["tls.crt"], "token": b"t"}, "tls.crt without tls.key"),
        (
            {},
            "--credentials ./key: no file there is called as a key is: token, username,",
        ),
        ({"token": b""}, "--credentials ./key: token is empty"),
        ({"token": b" \n"}, "--credentials ./key: token is empty"),
        ({"username": b"u", "password": b""}, "password is empty"),
        ({"sessionToken": b"s", "token": b"t"}, "sessionToken without accessKeyID"),
        (
            {"token": b"t", "username": b"u", "password": b"p"},
            "./key: token; username and password: one of these is sent; leave the others out",
        ),
        (
            {"token": b"t", "accessKeyID": b"u", "secretAccessKey": b"p"},
            "token; accessKeyID and secretAccessKey: one of these is sent",
        ),
        ({"username": b"u:v", "password": b"p"}, "./key: username has a colon"),
        ({"token": b"a\nb"}, "--credentials ./key: token is not one line of plain text"),
    ],
)
def test_half_of_what_a_person_gives_is_refused_by_name(data: dict[str, bytes], says: str) -> None:
    with pytest.raises(Refusal) as caught:
        credentials_from_files("--credentials ./key", data)
    assert says in caught.value.message


def test_each_key_that_a_secret_may_have_is_read_from_files_too() -> None:
    given = {"accessKeyID": b"AK", "secretAccessKey": b"s", "sessionToken": b"t", **PEM}
    found = credentials_from_files("x", given)
    assert found.access_key == AccessKey("AK", "s", "t")
    assert found.certificate
    assert {*given, "token", "username", "password"} == set(SECRET_KEYS)


def test_the_keys_that_a_secret_has_are_named_as_people_name_them() -> None:
    with pytest.raises(Refusal) as caught:
        credentials_from_secret("mirror-token", {"user": b"u", "pass": b"p"})
    assert "Secret mirror-token has the keys pass, user, but a mirror needs" in caught.value.message
    with pytest.raises(Refusal) as caught:
        credentials_from_secret("mirror-token", {})
    assert "Secret mirror-token has no keys, but a mirror needs" in caught.value.message
