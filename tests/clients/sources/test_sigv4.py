"""Signatures as Amazon publishes them for S3, and what of a request they cover."""

from datetime import UTC, datetime

import pytest

from escadre.clients.sources.credentials import AccessKey
from escadre.clients.sources.s3.sigv4 import signed

# Amazon S3 API Reference, "Examples: Signature Calculations", the requests without a body.
KEY = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
NOW = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "https://examplebucket.s3.amazonaws.com"


def signature(url: str, headers: dict[str, str] | None = None, key: AccessKey = KEY) -> str:
    return signed(key, "us-east-1", NOW, url, headers or {})["Authorization"]


@pytest.mark.parametrize(
    ("url", "headers", "names", "expected"),
    [
        pytest.param(
            f"{HOST}/test.txt",
            {"Range": "bytes=0-9", "User-Agent": "not signed"},
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            id="a range of an object",
        ),
        pytest.param(
            f"{HOST}/?lifecycle",
            {},
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            id="a name without a value",
        ),
        pytest.param(
            f"{HOST}/?prefix=J&max-keys=2",
            {},
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            id="a list, its query in another order",
        ),
    ],
)
def test_published_examples(url: str, headers: dict[str, str], names: str, expected: str) -> None:
    assert signature(url, headers) == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={names},Signature={expected}"
    )


def test_the_port_counts_where_a_client_sends_it() -> None:
    assert signature("https://s3.example:443/b/k") == signature("https://s3.example/b/k")
    assert signature("https://s3.example:9000/b/k") != signature("https://s3.example/b/k")
    assert signature("http://[::1]:9000/b/k") != signature("http://[::1]:9001/b/k")


def test_a_session_token_is_sent_and_signed_and_shown_nowhere() -> None:
    key = AccessKey(KEY.identity, KEY.secret, "t0k")
    headers = signed(key, "us-east-1", NOW, f"{HOST}/k", {})
    assert headers["x-amz-security-token"] == "t0k"
    assert (
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"
        in (headers["Authorization"])
    )
    assert "t0k" not in repr(key)
    assert KEY.secret not in repr(key)
