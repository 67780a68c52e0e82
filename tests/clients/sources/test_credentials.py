"""Credentials from a Secret."""

import pytest

from escadre import reasons
from escadre.clients.sources.credentials import Credentials, credentials_from_secret
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
        pytest.param({"token": b"topsecret\xff"}, id="not text"),
        pytest.param({"token": "töpsecret".encode()}, id="not ASCII"),
    ],
)
def test_unusable_secrets_are_refused_without_showing_them(data: dict[str, bytes]) -> None:
    with pytest.raises(Refusal) as caught:
        credentials_from_secret("mirror-token", data)
    assert caught.value.reason == reasons.SECRET_NOT_FOUND
    assert "mirror-token" in caught.value.message
    assert "psecret" not in caught.value.message


def test_credentials_do_not_show() -> None:
    assert "abc" not in repr(Credentials.bearer("abc"))
